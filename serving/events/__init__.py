"""What is appended for the next `dbt run`, and for other processes: predictions, outcomes, pushed rows, states."""

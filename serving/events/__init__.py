"""What is appended for the next `dbt run`: predictions, outcomes, pushed rows."""

"""What a request brings and what its answer is: JSON, checked field by field."""

"""What drift needs beside SQL: probabilities of scipy as SQL functions, and a classifier."""

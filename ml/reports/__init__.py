"""The report of what is monitored: one HTML file from the tables of schema `monitoring`."""

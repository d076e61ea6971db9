"""The demonstration as a year of production: a model of the first quarter serves the rest of 2013, month by month."""

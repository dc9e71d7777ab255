"""A database for each service: transactions that await nothing but themselves."""

"""The database port on MongoDB: transactions acknowledged by a majority and its journals."""

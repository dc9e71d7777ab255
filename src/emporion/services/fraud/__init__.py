"""Fraud: a score for every order, holds, and the queue where people decide."""

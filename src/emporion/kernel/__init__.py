"""Pure words that every layer may use: ids, money, clock, errors, aggregate. Standard library only."""

"""Pure words for every layer: ids, money, clock, errors, aggregate. Standard library only."""

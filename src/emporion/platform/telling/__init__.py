"""What the processes of a shop tell of themselves: kept, exported, and asked for."""

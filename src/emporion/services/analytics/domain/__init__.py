"""The rules of counting: what counts, when it counts, and how time is cut."""

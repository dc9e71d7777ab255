"""A shop's databases as a reader beside it sees them, on whatever engine each service keeps."""

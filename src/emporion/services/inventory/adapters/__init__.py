"""Where inventory keeps its books: one module an engine."""

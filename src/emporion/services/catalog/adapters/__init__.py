"""Where the catalog keeps its products: one module an engine."""

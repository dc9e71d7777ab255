"""The storefront: what a customer sees, from the catalogue to the order on its way."""

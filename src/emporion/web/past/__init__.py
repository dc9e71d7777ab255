"""The past of an order, told by the services that hold a part of it: for pages and commands."""

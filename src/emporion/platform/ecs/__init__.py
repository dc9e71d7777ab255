"""One process of the shop as a task of Amazon ECS: told by its environment, secrets by name."""

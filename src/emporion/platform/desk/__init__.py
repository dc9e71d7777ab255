"""The desk of operations: what single sagas hold, what would be delivered, what was done."""

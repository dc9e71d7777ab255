"""The statements that list holds."""

from emporion.services.inventory.domain import Status

HOLDING = """
SELECT order_id, status, allocations, created_at_ms, expires_at_ms FROM hold
WHERE (status = 'held' OR status = 'committed') AND allocations LIKE ? AND order_id < ?
ORDER BY order_id DESC LIMIT ?"""
PAGE = """
SELECT order_id, status, allocations, created_at_ms, expires_at_ms FROM hold
WHERE order_id < ? ORDER BY order_id DESC LIMIT ?"""
_PAGE_OF_COMMITTED = """
SELECT order_id, status, allocations, created_at_ms, expires_at_ms FROM hold
WHERE status = 'committed' AND order_id < ? ORDER BY order_id DESC LIMIT ?"""
# Written so that the partial indexes serve them: few are held or ended among the many committed.
_PAGE_OF_HELD = """
SELECT order_id, status, allocations, created_at_ms, expires_at_ms FROM (
    SELECT order_id, status, allocations, created_at_ms, expires_at_ms FROM hold
    WHERE status = 'held' ORDER BY expires_at_ms LIMIT 10000
) AS held WHERE order_id < ? ORDER BY order_id DESC LIMIT ?"""
_PAGE_OF_RELEASED = """
SELECT order_id, status, allocations, created_at_ms, expires_at_ms FROM hold
WHERE status = 'released' AND status IN ('released', 'expired') AND order_id < ?
ORDER BY order_id DESC LIMIT ?"""
PAGE_OF = {
    Status.COMMITTED: _PAGE_OF_COMMITTED,
    Status.HELD: _PAGE_OF_HELD,
    Status.RELEASED: _PAGE_OF_RELEASED,
    Status.EXPIRED: _PAGE_OF_RELEASED.replace("= 'released'", "= 'expired'"),
}

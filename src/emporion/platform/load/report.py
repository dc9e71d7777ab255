"""A load run's report: for people a table, for programs JSON."""

from collections.abc import Mapping

from rich.table import Table

from emporion.kernel.money import Money
from emporion.platform.load.run import LoadResult
from emporion.platform.load.tally import Totals

SHARES = (("p50", 0.50), ("p95", 0.95), ("p99", 0.99))


def to_table(result: LoadResult) -> Table:
    """The report as a table."""
    tally = result.tally
    title = f"load {result.run_id}{' (broken off)' if result.is_interrupted else ''}"
    table = Table(title=title, show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column(justify="right")
    if result.units_received:
        table.add_row("products created", f"{result.products_created:,}")
        table.add_row("units received", f"{result.units_received:,}")
    table.add_row("orders decided", f"{tally.decided:,} in {result.elapsed_s:.2f} s")
    table.add_row("orders/s", f"{rate(result):,.0f}")
    latency = latency_ms(result)
    table.add_row("latency ms", "  ".join(f"{name} {ms:.1f}" for name, ms in latency.items()))
    table.add_row("paid", f"{tally.paid:,}")
    table.add_row("units", f"{tally.units:,}")
    table.add_row("money", _money(tally.money_minor))
    for name, counts in (
        ("refused", tally.refusals),
        ("retried", tally.retries),
        ("errors", tally.errors),
    ):
        table.add_row(name, _counts(counts))
    if tally.pending_answers:
        table.add_row("pending at first", f"{tally.pending_answers:,}")
    for name, view in (
        ("by file and prices", result.expected),
        ("as the shop lists it", result.read_back),
    ):
        if view is not None:
            mark = "=" if view == result.counted else "DIFFERS"
            table.add_row(name, f"{mark} {_totals(view)}")
    if result.returned is not None:
        table.add_row("returned", _totals(result.returned.counted))
        expected = result.returned.expected
        mark = "=" if result.returned.counted == expected else "DIFFERS"
        table.add_row("refunds by prices", f"{mark} {_totals(expected)}")
    return table


def to_document(result: LoadResult) -> dict[str, object]:
    """The report as JSON types; times in seconds or milliseconds as named."""
    tally = result.tally
    return {
        "run_id": result.run_id,
        "is_interrupted": result.is_interrupted,
        "elapsed_s": round(result.elapsed_s, 3),
        "orders_decided": tally.decided,
        "orders_per_s": round(rate(result), 1),
        "latency_ms": {name: round(ms, 3) for name, ms in latency_ms(result).items()},
        "paid": tally.paid,
        "units": tally.units,
        "money_minor": dict(tally.money_minor),
        "refusals": dict(tally.refusals),
        "retries": dict(tally.retries),
        "errors": dict(tally.errors),
        "pending_answers": tally.pending_answers,
        "products_created": result.products_created,
        "units_received": result.units_received,
        "expected": _document(result.expected),
        "read_back": _document(result.read_back),
        "returned": _document(result.returned.counted if result.returned else None),
        "adds_up": result.adds_up,
    }


def rate(result: LoadResult) -> float:
    """Decided orders per second."""
    return result.tally.decided / result.elapsed_s if result.elapsed_s else 0.0


def latency_ms(result: LoadResult) -> dict[str, float]:
    """Percentiles of the time from the first attempt until an order was decided."""
    latencies = result.tally.latencies
    shares = {name: latencies.percentile_s(share) * 1000 for name, share in SHARES}
    return shares | {"max": latencies.max_s * 1000}


def _money(money_minor: Mapping[str, int]) -> str:
    return ", ".join(_readable(sum_, code) for code, sum_ in sorted(money_minor.items())) or "none"


def _readable(amount_minor: int, currency: str) -> str:
    whole, point, rest = str(Money(amount_minor, currency)).partition(".")
    return f"{int(whole):,}{point}{rest}" if point else whole


def _counts(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return "\n".join(f"{count:,} {name}" for name, count in ordered) or "0"


def _totals(totals: Totals) -> str:
    return f"{totals.orders:,} orders, {totals.units:,} units, {_money(totals.money_minor)}"


def _document(totals: Totals | None) -> dict[str, object] | None:
    if totals is None:
        return None
    return {
        "orders": totals.orders,
        "units": totals.units,
        "money_minor": dict(totals.money_minor),
    }

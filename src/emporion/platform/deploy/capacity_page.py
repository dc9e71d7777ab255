"""docs/capacity.md and its picture, made anew from what was measured."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from emporion.platform.deploy import capacity
from emporion.platform.deploy.cost import Prices
from emporion.platform.deploy.deployment import Deployment
from emporion.platform.deploy.flash_sale import (
    DEADLINE_S,
    Policy,
    Sale,
    Second,
    simulate,
    usual_policies,
)
from emporion.platform.deploy.picture import picture

PAGE: Final = Path("docs/capacity.md")
PICTURE: Final = Path("docs/flash-sale.svg")
RATES: Final = (1_000, 10_000, 100_000)
SCALED: Final = "order"
"""Whose tasks the flash sale is about: it does most of an order's work."""
TASK_CORES: Final = 0.5
_INTRODUCTION: Final = """# Capacity on AWS

Made by `emporion deploy capacity`; do not edit. A reckoning: the CPU that an order costs in the
split shop ([performance.md](performance.md), measured on one machine, at the largest load there),
times the rate, at the CPU that the manifests keep to, on tasks of the manifests' size. A vCPU of
Fargate is taken for a core of that machine. Nothing of this ran on AWS. List prices of {region},
dated {dated}; `prices/` says of each, and `capacity.py` of each quota, where it was looked up, or
that it could not be: the 30,000 messages a second of SNS could not. Look yours up.

From about a hundred orders a second on, events cost more than all tasks: SNS and SQS are paid by
the message. That is the price of a bus that nobody has to run; `topology.md` has NATS, which
`emporion deploy` does not put on ECS. What commits cost a database beside CPU is not reckoned with.
"""


def page(deployment: Deployment, measured: Mapping[str, float], of: Prices) -> str:
    """The text of docs/capacity.md."""
    lines = [_INTRODUCTION.format(region=of.region, dated=of.dated)]
    for rate in RATES:
        lines += _of_rate(deployment, rate, measured=measured, of=of)
    lines += _sale(measured)
    return "\n".join(lines) + "\n"


def _of_rate(
    deployment: Deployment, rate: int, *, measured: Mapping[str, float], of: Prices
) -> Iterator[str]:
    found = capacity.needs(deployment, rate, measured=measured, of=of)
    yield f"## {rate:,} orders a second\n"
    yield "| service | CPU us an order | tasks | max_capacity | USD a month |"
    yield "|---|--:|--:|--:|--:|"
    for need in found:
        known = f"{need.cpu_us:,.0f}" if need.cpu_us else "not measured"
        over = " (over)" if need.tasks > need.tasks_max else ""
        yield (
            f"| {need.name} | {known} | {need.tasks:,}{over} | {need.tasks_max} "
            f"| {need.usd_month:,.0f} |"
        )
    bus = capacity.bus_month(deployment, rate, of)
    cores = capacity.database_cores(rate, measured)
    yield f"| SNS and SQS | | | | {bus:,.0f} |"
    tasks, usd = sum(need.tasks for need in found), capacity.total_month(found, bus)
    yield f"| together | | {tasks:,} | | {usd:,.0f} |"
    yield f"\nDatabases keep {cores:,.1f} cores busy; they are not in the price.\n"
    yield "| what gives way, first to last | need | limit | of it | then |"
    yield "|---|--:|--:|--:|---|"
    for limit in capacity.limits(deployment, rate, found=found, measured=measured):
        yield (
            f"| {limit.what} | {limit.need:,.0f} | {limit.limit:,.0f} {limit.unit} "
            f"| {limit.share:.0%} | {limit.then} |"
        )
    yield ""


def _sale(measured: Mapping[str, float]) -> Iterator[str]:
    sale = Sale()
    yield "## A flash sale\n"
    yield (
        f"From {sale.usual:,.0f} to {sale.peak:,.0f} orders/s within {sale.ramp_s} seconds, for\n"
        f"{sale.lasts_s // 60} minutes, against the scaling of the order service: a simulation\n"
        "(`flash_sale.py` says of what).\n"
    )
    yield f"![orders, tasks and waiting during a flash sale]({PICTURE.name})\n"
    yield "| scaling | refused orders | of all | longest wait, s | task hours |"
    yield "|---|--:|--:|--:|--:|"
    for policy, seconds in _runs(measured):
        refused = sum(second.refused for second in seconds)
        share = refused / sum(second.arriving for second in seconds)
        wait = min(max(second.wait_s for second in seconds), DEADLINE_S)
        hours = sum(second.tasks for second in seconds) / 3_600
        yield f"| {policy.name} | {refused:,.0f} | {share:.1%} | {wait:.1f} | {hours:.1f} |"
    yield (
        "\nScaling by CPU notices a sale after four minutes and has new tasks after five: a sale\n"
        "that is known needs tasks that are asked for before it (`aws application-autoscaling\n"
        "put-scheduled-action`). What is over capacity is refused, not lost: an order that was\n"
        "taken is carried out."
    )


def _runs(measured: Mapping[str, float]) -> Sequence[tuple[Policy, Sequence[Second]]]:
    """Each policy with its sale; a task has half a core, as the manifest says."""
    task_orders_s = TASK_CORES * 1e6 / measured[SCALED]
    return [(policy, simulate(Sale(), policy)) for policy in usual_policies(task_orders_s)]


def sale_picture(measured: Mapping[str, float]) -> str:
    """The picture of the same sale."""
    return picture("A flash sale, and what scaling makes of it (simulated)", _runs(measured))

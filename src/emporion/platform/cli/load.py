"""`emporion load`: many shoppers at once against a running shop."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emporion.platform.cli.exits import INTERRUPTED, PROBLEM, refuse, say
from emporion.platform.cli.options import (
    DEFAULT_URL,
    DEMO_OPERATOR_EMAIL,
    DEMO_OPERATOR_PASSWORD,
    OperatorEmail,
    OperatorPassword,
    Url,
)

if TYPE_CHECKING:
    from emporion.platform.load.baskets_file import TillFile
    from emporion.platform.load.options import LoadOptions, RunId
    from emporion.platform.load.run import LoadResult, Stage

DEFAULT_SHOPPERS = 32


def load(  # noqa: PLR0913 - each is an option of the command line
    *,
    url: Url = DEFAULT_URL,
    orders: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=10_000_000,
            help="Stop after so many. [default: 1000, or all baskets of the file]",
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, max=86_400, help="Stop after so long.")
    ] = None,
    shoppers: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=10_000,
            help=f"How many order at the same time. [default: {DEFAULT_SHOPPERS}]",
        ),
    ] = None,
    baskets: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Replay baskets: a CSV of Date,Time,Transaction,Item."),
    ] = None,
    decline_percent: Annotated[
        float, typer.Option(min=0, max=100, help="Share of orders paid with a declined card.")
    ] = 0.0,
    return_percent: Annotated[
        float,
        typer.Option(
            min=0,
            max=100,
            help="Share of paid orders that are then shipped, delivered, sent back and refunded.",
        ),
    ] = 0.0,
    restock: Annotated[
        bool,
        typer.Option("--restock", help="Receive a million units of everything first."),
    ] = False,
    run_id: Annotated[
        str, typer.Option(help="Resume the run of that id: nothing is ordered twice.")
    ] = "",
    patience_s: Annotated[
        float,
        typer.Option(min=1, max=3_600, help="How long to retry one order of unknown outcome."),
    ] = 30.0,
    json: Annotated[
        str, typer.Option(metavar="FILE", help="Write the report as JSON too; - for stdout.")
    ] = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Drive a running shop with many shoppers at once and report what it did.

    Each shopper signs up, signs in, and places one order after another; an order without an
    answer is repeated with the same Idempotency-Key until its outcome is known. Ctrl-C ends the
    run and prints what was done so far. Exits 1 when there were errors, or when the sums of a
    basket file do not come out.

    For example:

      emporion load --orders 10000 --shoppers 64 --restock
      emporion load --seconds 30 --decline-percent 5 --json report.json
      emporion load --baskets bakery-lines.csv --return-percent 2

    A basket file names one item a line; lines of one Transaction are one basket, and products
    the shop lacks are created first:

      Date,Time,Transaction,Item
      2016-10-30,09:58:11,1,Bread
    """
    from emporion.platform.client.address import Address
    from emporion.platform.load.baskets_file import read_baskets
    from emporion.platform.load.options import LoadOptions, Operator

    address = Address.parse(url)
    options = LoadOptions(
        address=address,
        run_id=_run_id(run_id, shoppers),
        operator=Operator(operator_email, operator_password),
        orders=orders,
        seconds=seconds,
        baskets=baskets,
        decline_percent=decline_percent,
        return_percent=return_percent,
        is_restocked=restock,
        patience_s=patience_s,
    )
    till = read_baskets(baskets) if baskets is not None else None
    say(f"run {options.run_id} against {address}; to resume it: --run-id {options.run_id}")
    result = _run(options, till)
    _report(result, json)
    if result.is_interrupted:
        raise typer.Exit(INTERRUPTED)
    if result.tally.errors or not result.adds_up:
        raise typer.Exit(PROBLEM)


def _run_id(text: str, shoppers: int | None) -> "RunId":
    from emporion.platform.load.options import RunId

    if not text:
        return RunId.new(shoppers or DEFAULT_SHOPPERS)
    run_id = RunId.parse(text)
    if shoppers not in (None, run_id.shoppers):
        refuse(f"run {text} has {run_id.shoppers} shoppers; leave --shoppers out")
    return run_id


def _run(options: "LoadOptions", till: "TillFile | None") -> "LoadResult":
    import asyncio
    import signal

    import uvloop

    from emporion.platform.cli.progress import Progress
    from emporion.platform.load.run import LoadRun

    async def main(progress: Progress) -> "LoadResult":
        def watch(stage: "Stage") -> None:
            progress.show(stage.name, stage.done, stage.total)

        run = LoadRun(options, till, watch)
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, run.stop)
        return await run.run()

    with Progress("orders") as progress:
        return uvloop.run(main(progress))


def _report(result: "LoadResult", json_file: str) -> None:
    from rich.console import Console

    from emporion.platform.load.report import to_document, to_table

    if json_file:
        import msgspec

        text = msgspec.json.format(msgspec.json.encode(to_document(result)), indent=2).decode()
        if json_file == "-":
            print(text)
            return
        Path(json_file).write_text(text + "\n", encoding="utf-8")
    Console().print(to_table(result))
    if result.tally.refusals["out-of-stock"] > result.tally.paid:
        say("Most was out of stock: --restock receives a million units of everything first.")

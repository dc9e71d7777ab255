"""The command `emporion`: registers one module per command and turns errors into one line."""

import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

import typer

from emporion.platform.cli import (
    analytics,
    audit,
    boundaries,
    config,
    contracts,
    deploy,
    events,
    faults,
    fraud,
    giftcards,
    history,
    import_catalog,
    load,
    new,
    operators,
    payments,
    privacy,
    roll,
    sagas,
    serve,
    serve_pages,
    split,
    storefront,
    task,
    topology,
    trace,
    up,
    users,
    version,
    webhooks,
    why,
)
from emporion.platform.cli.exits import INTERRUPTED, PROBLEM, USAGE, say

HELP = """A commerce back end: one process today, a process for each service when you grow.

Start here:

  emporion up                             start the shop on http://127.0.0.1:8080
  emporion import catalogue.csv           load products, prices and stock
  emporion load --orders 1000             send a thousand orders, see how fast it is
  emporion audit                          prove that money, stock and orders add up
  emporion split                          the same shop, a process for each service

Each command explains itself: emporion COMMAND --help.
"""
COMMANDS: Mapping[str, Callable[..., None]] = {
    "up": up.up,
    "split": split.split,
    "storefront": storefront.storefront,
    "roll": roll.roll,
    "import": import_catalog.import_,
    "load": load.load,
    "audit": audit.audit,
    "history": history.history,
    "trace": trace.trace,
    "boundaries": boundaries.boundaries,
    "config": config.config,
    "version": version.version,
}
HIDDEN: Mapping[str, Callable[..., None]] = {
    "serve": serve.serve,
    "serve-pages": serve_pages.serve_pages,
}
"""Commands that the program itself runs."""
GROUPS: Mapping[str, tuple[str, Mapping[str, Callable[..., None]]]] = {
    "analytics": (
        "Orders, revenue and conversion over time, and what sells.",
        {
            "figures": analytics.figures,
            "funnel": analytics.funnel,
            "products": analytics.products,
        },
    ),
    "operator": ("People who may run the shop.", {"add": operators.add}),
    "users": ("People who buy.", {"erase": users.erase}),
    "privacy": (
        "What is sealed with the keys of people, and the secret behind them.",
        {"check": privacy.check, "rotate": privacy.rotate},
    ),
    "events": (
        "Events on their way to subscribers.",
        {
            "lag": events.lag,
            "dead-letters": events.dead_letters,
            "redrive": events.redrive,
            "pause": events.pause,
            "resume": events.resume,
            "replay": events.replay,
        },
    ),
    "sagas": (
        "Transactions over several services.",
        {
            "list": sagas.list_,
            "show": sagas.show_,
            "retry": sagas.retry,
            "compensate": sagas.compensate,
            "deeds": sagas.deeds,
        },
    ),
    "faults": (
        "Faults on purpose: late, failing, hung or crashed services, to watch the shop survive.",
        {"list": faults.list_, "set": faults.set_, "clear": faults.clear},
    ),
    "fraud": (
        "Orders on hold, why, and the rules by which they are judged.",
        {
            "why": fraud.why,
            "reviews": fraud.reviews,
            "release": fraud.release,
            "reject": fraud.reject,
            "rules": fraud.rules,
            "set": fraud.set_,
            "backtest": fraud.backtest,
        },
    ),
    "payments": (
        "Whether orders, payments and the provider agree about the money.",
        {"detect": payments.detect, "reconcile": payments.reconcile},
    ),
    "giftcards": (
        "Gift cards, their ledgers, and new ones.",
        {
            "list": giftcards.list_,
            "issue": giftcards.issue,
            "show": giftcards.show_,
            "void": giftcards.void,
            "adjust": giftcards.adjust,
        },
    ),
    "webhooks": (
        "Events on their way to merchants' servers.",
        {
            "list": webhooks.list_,
            "add": webhooks.add,
            "redrive": webhooks.redrive,
            "replay": webhooks.replay,
        },
    ),
    "why": ("Why something is as it is.", {"sku": why.sku, "order": why.order, "price": why.price}),
    "task": (
        "What a container of Amazon ECS runs.",
        {
            "serve": task.serve,
            "migrate": task.migrate,
            "prepare": task.prepare,
            "audit": task.audit,
            "pages": task.pages,
            "operator": task.operator,
        },
    ),
    "topology": (
        "Which services run together, and on which engines.",
        {"show": topology.show, "check": topology.check},
    ),
    "contracts": (
        "The published descriptions of the services.",
        {"check": contracts.check, "generate": contracts.generate},
    ),
    "deploy": (
        "The shop on Amazon ECS, from topology and manifests.",
        {
            "plan": deploy.plan,
            "synth": deploy.synth,
            "check": deploy.check,
            "apply": deploy.apply,
            "capacity": deploy.capacity,
            "changed": deploy.changed,
            "sbom": deploy.sbom,
        },
    ),
    "new": ("Start a new part of the shop.", {"service": new.service}),
}


def _typer(name: str, text: str) -> typer.Typer:
    return typer.Typer(
        name=name,
        help=as_written(text),
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )


def build() -> typer.Typer:
    """The whole command line."""
    app = _typer("emporion", HELP)
    app.callback(help=as_written(HELP))(_options)
    for name, command in COMMANDS.items():
        _register(app, name, command)
    for name, command in HIDDEN.items():
        _register(app, name, command, is_hidden=True)
    for name, (text, commands) in GROUPS.items():
        group = _typer(name, text)
        for word, command in commands.items():
            _register(group, word, command)
        app.add_typer(group)
    return app


def _print_version(is_asked: bool) -> None:
    if is_asked:
        version.version()
        raise typer.Exit


def _options(  # `_print_version` acts on it
    is_version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None: ...


def _register(
    app: typer.Typer, name: str, command: Callable[..., None], *, is_hidden: bool = False
) -> None:
    text = as_written(command.__doc__ or "")
    short = text.partition("\n\n")[0].replace("\n", " ")
    app.command(name, help=text, short_help=short, hidden=is_hidden)(command)


def as_written(text: str) -> str:
    """Help text in which indented paragraphs keep their lines, as examples must."""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(f"\b\n{part}" if part.startswith(" ") else part for part in paragraphs)


def main(words: Sequence[str] | None = None) -> None:
    """Run the command line (`words`, or those of the process) and exit.

    Exits 0 when all is well, 1 on a problem, 2 on wrong usage, 130 after Ctrl-C.
    """
    try:
        build()(words)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output is gone (`| head`): nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(PROBLEM)
    except Exception as error:
        if os.environ.get("EMPORION_LOG_LEVEL") == "DEBUG":
            raise
        say(explain(error))
        sys.exit(USAGE if is_wrong_usage(error) else PROBLEM)


def is_wrong_usage(error: Exception) -> bool:
    """Whether the words of the command, or a setting, can never be right."""
    from emporion.kernel.errors import InvalidArgument

    return isinstance(error, InvalidArgument)


def explain(error: BaseException) -> str:
    """One line (or one per mistake) that says what is wrong and what to do next."""
    from emporion.kernel.errors import EmporionError
    from emporion.platform.table_file import BadFile

    match error:
        case BadFile():
            return "\n".join(mistake.show(error.file) for mistake in error.mistakes)
        case BaseExceptionGroup():
            return explain(error.exceptions[0])
        case EmporionError():
            return error.detail
        case _:
            what = " ".join(str(error).split())[:300]
            return (
                f"unexpected {type(error).__name__}: {what}\n"
                "This is a defect of emporion; EMPORION_LOG_LEVEL=DEBUG shows where."
            )

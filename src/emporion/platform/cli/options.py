"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_URL = "http://127.0.0.1:8080"
DEFAULT_DATA = Path("emporion-data")
DEMO_OPERATOR_EMAIL = "operator@emporion.test"
DEMO_OPERATOR_PASSWORD = "emporion-demo-operator"  # noqa: S105 - exists only in a development shop

Url = Annotated[str, typer.Option(help="Where the shop listens.", envvar="EMPORION_URL")]
Data = Annotated[
    Path, typer.Option(help="The shop's data directory.", envvar="EMPORION_DATA", metavar="DIR")
]
RunningUrl = Annotated[
    str,
    typer.Option(
        "--url",
        help="Ask the shop that listens there. [default: the one that runs on the data directory, "
        "if any]",
        show_default=False,
    ),
]
AllowFaults = Annotated[
    bool | None,
    typer.Option(
        "--allow-faults",
        help="Let operators switch faults on: see emporion faults.",
        show_default=False,
    ),
]
Reason = Annotated[
    str, typer.Option(help="Why; kept with the deed, and in the shop's log.", show_default=False)
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Tell what would be delivered, and change nothing.")
]
OperatorEmail = Annotated[
    str,
    typer.Option(
        help="Who asks. The default exists in a development shop only.",
        envvar="EMPORION_OPERATOR_EMAIL",
    ),
]
OperatorPassword = Annotated[
    str,
    typer.Option(
        help="The operator's password; better given in the environment.",
        envvar="EMPORION_OPERATOR_PASSWORD",
        show_default=False,
    ),
]

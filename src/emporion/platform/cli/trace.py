"""`emporion trace`: what became of one order, hop by hop."""

from typing import Annotated

import typer

from emporion.platform.cli.asking import consulted, target_of
from emporion.platform.cli.exits import refuse
from emporion.platform.cli.options import (
    DEFAULT_DATA,
    DEMO_OPERATOR_EMAIL,
    DEMO_OPERATOR_PASSWORD,
    Data,
    OperatorEmail,
    OperatorPassword,
    RunningUrl,
)

TRACE_DIGITS = 32


def trace(  # noqa: PLR0913 - each is an option of the command line
    subject: Annotated[
        str, typer.Argument(metavar="ORDER", help="Its id: `ord_` and 32 digits; or a trace id.")
    ],
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Tell the story of one order: every hop with its time, then events, mails and webhooks.

    The waterfall shows what was done while the client waited: calls, steps of the saga,
    transactions (queued: how long they waited for their turn). Times are milliseconds since the
    request. Lines with `*` are changes in the books, `>` log lines, `@` mails and webhooks. Asks
    the shop that runs, all its processes, or the files of one that does not.

    For example:

      emporion trace ord_0192f0a1b2c37d4e8f901a2b3c4d5e6f
      emporion trace 6b0d90610aa2610ac81941a36ac3801b --json
    """
    from emporion.kernel.ids import ORDER, OrderId, has_prefix
    from emporion.platform.telling.waterfall import show_story
    from emporion.web.past.story import story_of_order, story_of_trace

    is_order = has_prefix(subject, ORDER)
    is_trace = len(subject) == TRACE_DIGITS and set(subject) <= set("0123456789abcdef")
    if not is_order and not is_trace:
        refuse(
            f"{subject!r} is no order's id (`ord_` and 32 hexadecimal digits) and no trace id"
            " (the 32 digits alone)"
        )
    target = target_of(data, url, email=operator_email, password=operator_password)
    story = consulted(
        target,
        lambda clients: (
            story_of_order(clients, OrderId(subject))
            if is_order
            else story_of_trace(clients, subject)
        ),
    )
    if json:
        import msgspec

        print(msgspec.json.format(msgspec.json.encode(story), indent=2).decode())
    else:
        show_story(story)

"""`emporion task`: what a container of Amazon ECS runs, or a person who looks for a fault."""

from typing import Annotated

import typer


def serve() -> None:
    """Serve the process that EMPORION_TASK describes, until SIGTERM.

    For example:

      EMPORION_TASK="$(cat order.json)" emporion task serve
    """
    import uvloop

    from emporion.platform.ecs.process import serve_task

    uvloop.run(serve_task())


def migrate() -> None:
    """Bring the schemas of the task's services up to date, and end.

    For example:

      EMPORION_TASK="$(cat order.json)" emporion task migrate
    """
    import asyncio

    from emporion.platform.ecs.process import migrate_task

    print(f"migrated: {', '.join(asyncio.run(migrate_task()))}")


def prepare() -> None:
    """Make databases with their owners, and tell every process whom to trust.

    For example:

      EMPORION_PREPARE="$(cat shop.json)" emporion task prepare
    """
    import asyncio

    from emporion.platform.ecs.prepare import prepare_task

    made = asyncio.run(prepare_task())
    print(f"made: {', '.join(made)}" if made else "nothing to make; trust is written")


def pages() -> None:
    """Show storefront and console of the shop that EMPORION_PAGES names, until SIGTERM.

    For example:

      EMPORION_PAGES="$(cat pages.json)" emporion task pages
    """
    import uvloop

    from emporion.platform.ecs.pages import pages_task

    uvloop.run(pages_task())


def audit() -> None:
    """Prove all books of the shop, and tell CloudWatch the verdict; exits 1 on a violation.

    For example:

      EMPORION_AUDIT="$(cat shop.json)" emporion task audit
    """
    import asyncio

    from emporion.chassis.runtime.system import SystemClock
    from emporion.platform.cli.audit import print_report
    from emporion.platform.cli.exits import PROBLEM
    from emporion.platform.ecs.audit import audit_task

    report = asyncio.run(audit_task(now_ms=SystemClock().now_ms, write=print))
    print_report(report)
    if report.violations:
        raise typer.Exit(PROBLEM)


def operator(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="Whose account it is.")],
) -> None:
    """Make the first operator, with the password in the secret of the setting operator_password.

    For example:

      EMPORION_TASK="$(cat user.json)" emporion task operator ada@shop.example
    """
    import asyncio

    from emporion.platform.ecs.process import operator_task

    print(f"{email} is an operator ({asyncio.run(operator_task(email))})")

"""`emporion roll`: every service process replaced by a new one, under load."""

from emporion.platform.cli.options import DEFAULT_DATA, Data


def roll(*, data: Data = DEFAULT_DATA) -> None:
    """Replace every process of a running split shop by a new one, one after the other.

    The new one is started and ready before the old one drains: no request fails. Processes that
    keep a service on SQLite cannot run twice and stay as they are. Exits 1 when a new process does
    not come up; then the old one runs on.

    For example:

      emporion roll --data emporion-split
    """
    from emporion.platform.supervisor.rolling import ask_to_roll

    took_s = ask_to_roll(data)
    print(f"Every process that can run twice was replaced, in {took_s:.1f} s.")

"""`emporion sagas`: the transactions over several services that are not over."""

from emporion.platform.cli.options import DEFAULT_DATA, Data


def list_(*, data: Data = DEFAULT_DATA) -> None:
    """List the sagas that are running or compensating, the longest at work first.

    For example:

      emporion sagas list
    """
    import asyncio

    from rich.console import Console
    from rich.table import Table

    from emporion.chassis.runtime.system import SystemClock
    from emporion.platform.audit.traffic import open_sagas
    from emporion.platform.shop_folder import open_for_reading

    with open_for_reading(data) as databases:
        found = [
            saga
            for service, database in databases.items()
            for saga in asyncio.run(open_sagas(service, database))
        ]
    if not found:
        print("no saga is open")
        return
    now_ms = SystemClock().now_ms()
    table = Table("saga", "what", "state", "step", "attempts", "age s", "last error")
    for saga in sorted(found, key=lambda open_: open_.started_at_ms):
        age_s = (now_ms - saga.started_at_ms) // 1000
        figures = (saga.step, saga.attempts, age_s)
        table.add_row(saga.saga_id, saga.name, saga.state, *map(str, figures), saga.last_error)
    Console().print(table)

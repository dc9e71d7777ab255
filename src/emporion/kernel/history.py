"""What happened to a thing, and through whom: the form in which every service tells its past."""

from datetime import datetime

from emporion.kernel.value import Value


class Change(Value, frozen=True, kw_only=True):
    """One change of a thing, as it was recorded when it happened.

    `what` is the event's stored name; `facts` what was recorded with it, as JSON; `actor` the id of
    who did it: a user id or a service's name, and `actor_kind` `person`, `service` or `anonymous`
    (the shop by itself); `command` the method, step of a saga or reaction that did it, and
    `trace_id` its trace. The last three are empty where they were not recorded yet.
    """

    at: datetime
    what: str
    facts: str
    actor: str
    actor_kind: str
    command: str
    trace_id: str

"""How an operator acts on a page: with a reason, once, and with the outcome said on the page."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from emporion.chassis.http.exchange import Response
from emporion.chassis.http.problem import status_of
from emporion.contracts.contract import Message
from emporion.contracts.user import User
from emporion.kernel.errors import EmporionError, InvalidArgument, Unauthenticated, Unavailable
from emporion.web.console.session import OPERATOR
from emporion.web.visit import Visit

SAID: Final = "done"
"""The field of an address that says what was done."""
KEY: Final = "key"
"""The field of a form that makes it count once."""
KEY_BYTES: Final = 16
KEY_CHARS_MAX: Final = 64
KEPT_MAX: Final = 500
Shown = Callable[[Visit, EmporionError | None], Awaitable[Response]]
Work = Callable[[], Awaitable[Message]]


class ReasonMissing(InvalidArgument):
    """What is done to a running shop is kept with the reason; without one nothing was done."""

    slug = "reason-missing"
    title = "Say why"


def reason_of(visit: Visit) -> str:
    """The reason in a form. Raises ReasonMissing."""
    reason = visit.form.text("reason")
    if not reason:
        raise ReasonMissing("A reason is kept with every deed. Nothing was done yet.")
    return reason


def key_of(visit: Visit) -> str:
    """The key of a form, as an operation's idempotency key. Raises InvalidArgument without one."""
    sent = visit.form.text(KEY)[:KEY_CHARS_MAX]
    if not sent:
        raise InvalidArgument("the form has no key: reload the page", field=KEY)
    return f"console-{sent}"


async def act(visit: Visit, work: Work, *, onto: str, done: str, shown: Shown) -> Response:
    """Do something, and lead to the page that says so; a refusal is said on the page it is from.

    `work` does it and may raise what the operation raises; `onto` is the address to go to then,
    `done` a word of that page; `shown` is the page that had the form, with the refusal on it.
    """
    try:
        _ = await work()
    except Unauthenticated:
        raise
    except EmporionError as refusal:
        return await shown(visit, refusal)
    return visit.redirect(f"{onto}?{urlencode({SAID: done})}")


async def show(
    visit: Visit,
    template: str,
    refusal: EmporionError | None,
    *,
    words: Mapping[str, str],
    **values: Any,
) -> Response:
    """A page of a desk: with what was done, or why it was refused, and what one may do.

    `words` are what the page says after each deed.
    """
    sent = visit.form.text(KEY)[:KEY_CHARS_MAX]
    is_open = refusal is not None and not refusal.is_outcome_known
    return await visit.show(
        template,
        200 if refusal is None else status_of(refusal),
        refusal=refusal,
        done="" if refusal else words.get(visit.query.text(SAID), ""),
        scopes=scopes_of(visit),
        # While an outcome is unknown the key stays: sending it again asks for it.
        form_key=sent if is_open and sent else visit.site.runtime.random.token(KEY_BYTES),
        sent_key=sent if is_open else "",
        **values,
    )


def scopes_of(visit: Visit) -> frozenset[str]:
    """What the operator's account may do."""
    account = visit.known.get(OPERATOR)
    return frozenset(account.scopes) if isinstance(account, User) else frozenset()


class Once:
    """Runs what cannot be repeated once for each form: a second click gets the first one's outcome.

    Of this process, and of the last KEPT_MAX forms. A refusal is not kept: the form may be sent
    again.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[str, asyncio.Future[None]] = OrderedDict()

    async def run(self, visit: Visit, work: Work) -> None:
        """Do it, unless the same form did or is doing it. Raises InvalidArgument without a key."""
        key = key_of(visit)
        first = self._kept.get(key)
        if first is not None:
            await asyncio.shield(first)
            return
        outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._kept[key] = outcome
        try:
            _ = await work()
        except EmporionError as error:
            outcome.set_exception(error)
            _ = outcome.exception()  # told to whoever clicked twice, if anybody did
            raise
        else:
            outcome.set_result(None)
        finally:
            if not outcome.done():  # broken off: who clicked twice is not to be broken off, too
                outcome.set_exception(Unavailable("the first click was broken off"))
            if outcome.exception() is not None:
                del self._kept[key]
        while len(self._kept) > KEPT_MAX:
            _ = self._kept.popitem(last=False)

"""Who may look at the console: signing in and out, and what a customer's account is told."""

from typing import Final

from emporion.chassis.http.exchange import Response
from emporion.chassis.http.problem import status_of
from emporion.contracts.user import (
    Nothing,
    RefreshToken,
    SignIn,
    TooManySignIns,
    User,
    UserService,
    WrongCredentials,
)
from emporion.kernel.errors import (
    EmporionError,
    InvalidArgument,
    PermissionDenied,
    Unauthenticated,
)
from emporion.web.console.paths import ROOT
from emporion.web.forms import message
from emporion.web.visit import RETURNED, Visit
from emporion.web.words import plural, safe_path

SIGN_IN: Final = f"{ROOT}/sign-in"
SIGN_OUT: Final = f"{ROOT}/sign-out"
OPERATOR: Final = "operator"
"""Of a visit: the account that asks, once it is admitted."""
SCOPE: Final = "operations:read"
"""What every account that may look has."""


class NotAnOperator(PermissionDenied):
    """The account is good, and is no operator's."""

    slug = "not-an-operator"
    title = "This account is not an operator's"


async def admit(visit: Visit) -> User:
    """The operator who asks. Raises Unauthenticated, or NotAnOperator."""
    known = visit.known.get(OPERATOR)
    if isinstance(known, User):
        return known
    if not visit.is_signed_in:
        raise Unauthenticated
    account = await visit.ask(UserService).me(Nothing())
    if SCOPE not in account.scopes:
        raise NotAnOperator
    visit.known[OPERATOR] = account
    return account


async def sign_in_page(visit: Visit) -> Response:
    """The form; somebody who is signed in may take it for another account."""
    return await _form(visit)


async def sign_in(visit: Visit) -> Response:
    """Begin an operator's session; a customer's is ended again. Raises NotAnOperator."""
    visit.site.throttle.take(visit.exchange.client, visit.exchange.started_s)
    credentials = {
        "email": visit.form.text("email"),
        "password": visit.form.exactly("password"),
    }
    try:
        session = await visit.ask(UserService).sign_in(message(SignIn, **credentials))
    except (InvalidArgument, WrongCredentials, TooManySignIns) as refusal:
        return await _form(visit, refusal)
    visit.begin(session)
    _ = visit.renew_guard()
    try:
        _ = await admit(visit)
    except NotAnOperator:
        await _end(visit)
        raise
    return visit.redirect(_next(visit))


async def sign_out(visit: Visit) -> Response:
    """End the session, here and in the user service."""
    await _end(visit)
    _ = visit.renew_guard()
    return visit.redirect(SIGN_IN)


async def _end(visit: Visit) -> None:
    refresh_token = visit.end()
    if refresh_token:
        request = message(RefreshToken, refresh_token=refresh_token)
        _ = await visit.ask(UserService).sign_out(request)


async def _form(visit: Visit, refusal: EmporionError | None = None) -> Response:
    return await visit.show(
        "sign_in.html",
        200 if refusal is None else status_of(refusal),
        onward=_next(visit),
        email=visit.form.text("email"),
        refusal=_said(refusal),
    )


def _next(visit: Visit) -> str:
    """Where one wanted to go: a page of the console."""
    path = safe_path(visit.form.text(RETURNED) or visit.query.text(RETURNED) or ROOT)
    is_ours = path == ROOT or path.startswith((f"{ROOT}/", f"{ROOT}?"))
    return path if is_ours and not path.startswith(SIGN_IN) else ROOT


def _said(refusal: EmporionError | None) -> str:
    if refusal is None:
        return ""
    if isinstance(refusal, TooManySignIns):
        wait_s = refusal.fields.get("retry_after_s")
        after = plural(wait_s, "second") if isinstance(wait_s, int) else "a moment"
        return f"That were many tries. Try again in {after}."
    if isinstance(refusal, InvalidArgument):
        return "This does not look like an e-mail address."
    return f"{refusal.title}."

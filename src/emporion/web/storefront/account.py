"""Signing up, in and out."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from emporion.chassis.http.exchange import Response
from emporion.chassis.http.problem import status_of
from emporion.contracts.user import (
    EmailTaken,
    RefreshToken,
    SignIn,
    SignUp,
    TooManySignIns,
    UserService,
    WrongCredentials,
)
from emporion.kernel.errors import EmporionError, InvalidArgument
from emporion.web.forms import message
from emporion.web.storefront import basket
from emporion.web.visit import RETURNED, Visit
from emporion.web.words import plural, safe_path

_WORDS: Final[Mapping[str, str]] = {
    "email": "This does not look like an e-mail address.",
    "password": "A password has 10 to 200 characters.",
    "name": "Tell us what to call you.",
}


class AccountPages:
    """Accounts. Passwords and tokens never appear in a page or an address."""

    async def sign_in_page(self, visit: Visit) -> Response:
        """The form, or onward for somebody who is signed in."""
        if visit.is_signed_in:
            return visit.redirect(_next(visit))
        return await self._form(visit, "sign_in.html")

    async def sign_up_page(self, visit: Visit) -> Response:
        """The form, or onward for somebody who is signed in."""
        if visit.is_signed_in:
            return visit.redirect(_next(visit))
        return await self._form(visit, "sign_up.html")

    async def sign_in(self, visit: Visit) -> Response:
        """Begin a session."""
        self._throttle(visit)
        try:
            return await self._begin(visit)
        except (InvalidArgument, WrongCredentials, TooManySignIns) as refusal:
            return await self._form(visit, "sign_in.html", refusal)

    async def sign_up(self, visit: Visit) -> Response:
        """Make an account and begin a session."""
        self._throttle(visit)
        try:
            _ = await visit.ask(UserService).sign_up(
                message(
                    SignUp,
                    email=visit.form.text("email"),
                    password=visit.form.exactly("password"),
                    name=visit.form.text("name"),
                )
            )
            return await self._begin(visit)
        except (InvalidArgument, EmailTaken) as refusal:
            return await self._form(visit, "sign_up.html", refusal)

    async def sign_out(self, visit: Visit) -> Response:
        """End the session, here and in the user service."""
        refresh_token = visit.end()
        _ = visit.renew_guard()
        if refresh_token:
            _ = await visit.ask(UserService).sign_out(
                message(RefreshToken, refresh_token=refresh_token)
            )
        return visit.redirect("/")

    async def _begin(self, visit: Visit) -> Response:
        session = await visit.ask(UserService).sign_in(
            message(
                SignIn,
                email=visit.form.text("email"),
                password=visit.form.exactly("password"),
            )
        )
        visit.begin(session)
        await basket.adopt(visit)
        _ = visit.renew_guard()
        return visit.redirect(_next(visit))

    async def _form(
        self, visit: Visit, template: str, refusal: EmporionError | None = None
    ) -> Response:
        onward = _next(visit)
        other = "" if onward == "/" else f"?{RETURNED}={quote(onward, safe='/')}"
        field, said = _said(refusal)
        return await visit.show(
            template,
            200 if refusal is None else status_of(refusal),
            onward=onward,
            onward_query=other,
            email=visit.form.text("email"),
            name=visit.form.text("name"),
            wrong=dict.fromkeys(_WORDS, "") | ({field: said} if field else {}),
            refusal=said if not field else "",
        )

    def _throttle(self, visit: Visit) -> None:
        visit.site.throttle.take(visit.exchange.client, visit.exchange.started_s)


def _next(visit: Visit) -> str:
    return safe_path(visit.form.text(RETURNED) or visit.query.text(RETURNED) or "/")


def _said(refusal: EmporionError | None) -> tuple[str, str]:
    """The field that is wrong, if it is one, and what to say."""
    if refusal is None:
        return "", ""
    if isinstance(refusal, EmailTaken):
        return "email", "There is an account with this address already: sign in instead."
    if isinstance(refusal, TooManySignIns):
        wait_s = refusal.fields.get("retry_after_s")
        after = plural(wait_s, "second") if isinstance(wait_s, int) else "a moment"
        return "", f"That were many tries. Try again in {after}."
    field = str(refusal.fields.get("field", ""))
    if field in _WORDS:
        return field, _WORDS[field]
    return "", f"{refusal.title}."

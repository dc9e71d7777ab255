"""Who is calling, and what they may do."""

from enum import StrEnum

import msgspec

from emporion.kernel.errors import NotFound, PermissionDenied, Unauthenticated
from emporion.kernel.ids import UserId


class Kind(StrEnum):
    """What kind of caller."""

    ANONYMOUS = "anonymous"
    PERSON = "person"
    SERVICE = "service"


_PERSON = Kind.PERSON
"""The member once: looking one up on its class at every call is dear."""


class Identity(msgspec.Struct, frozen=True, gc=False):
    """A caller: verified at the edge, then carried along with the call.

    `subject` is a user id, or a service's name. `scopes` are what the token grants; a service
    holds the scope `internal`.
    """

    kind: Kind
    subject: str
    scopes: frozenset[str]

    @property
    def user_id(self) -> UserId:
        """The signed-in person. Raises Unauthenticated for anybody else."""
        if self.kind is not _PERSON:
            raise Unauthenticated
        return UserId(self.subject)

    def require_scope(self, scope: str) -> None:
        """Raises Unauthenticated for an anonymous caller, PermissionDenied without the scope."""
        if scope not in self.scopes:
            if self.kind is Kind.ANONYMOUS:
                raise Unauthenticated
            raise PermissionDenied(f"the scope {scope!r} is missing", scope=scope)

    def require_owner(self, owner: str, *, staff_scope: str = "") -> None:
        """Raises NotFound unless the thing is the caller's, or the caller holds `staff_scope`.

        NotFound, so that nobody learns which ids exist.
        """
        if self.kind is Kind.PERSON and self.subject == owner:
            return
        if staff_scope and staff_scope in self.scopes:
            return
        raise NotFound


ANONYMOUS = Identity(Kind.ANONYMOUS, "", frozenset())


def service_identity(name: str) -> Identity:
    """The identity of one of our services."""
    return Identity(Kind.SERVICE, name, frozenset({"internal"}))

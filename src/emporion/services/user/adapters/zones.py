"""The time zones that this installation knows."""

from functools import cached_property
from zoneinfo import available_timezones

from emporion.kernel.errors import Unavailable

_NO_PLACES = frozenset({"Factory", "localtime"})


class InstalledZones:
    """The IANA database of the system, or of the `tzdata` package where the system has none.

    Listed once, at first use: asking for a zone must not touch the disk on the event loop.
    """

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(available_timezones()) - _NO_PLACES

    def is_known(self, name: str) -> bool:
        return name in self._names

    async def probe(self) -> None:
        """Raises Unavailable when there is no database at all, rather than refuse every zone."""
        if "Europe/Vienna" not in self._names:
            raise Unavailable("no time zone database; install the package tzdata")

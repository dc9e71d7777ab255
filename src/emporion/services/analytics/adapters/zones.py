"""The time zones that this installation knows."""

from datetime import tzinfo
from functools import cached_property
from zoneinfo import ZoneInfo, available_timezones

_NO_PLACES = frozenset({"Factory", "localtime"})


class InstalledZones:
    """The IANA database of the system, or of the `tzdata` package where the system has none."""

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(available_timezones()) - _NO_PLACES

    def zone(self, name: str) -> tzinfo | None:
        return ZoneInfo(name) if name in self._names else None

"""Templates into HTML: made at the first page, escaped always, and strict about names."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from emporion.web.assets import Assets
from emporion.web.figures import age, at_clock, clock, instant, rate, share, size, span
from emporion.web.words import moment, money, plural

if TYPE_CHECKING:
    import jinja2

BASE: Final = Path(__file__).parent / "templates"


class Renderer:
    """Renders templates of some folders, and of the base that all pages share.

    The library is imported at the first page: a process that shows none does not carry it.
    """

    def __init__(self, assets: Assets, folders: Sequence[Path]) -> None:
        self._assets = assets
        self._folders = folders

    def render(self, template: str, values: Mapping[str, Any]) -> bytes:
        """A whole page, or a part of one. Every value is escaped; an unknown name is an error."""
        return self._environment.get_template(template).render(values).encode()

    @cached_property
    def _environment(self) -> "jinja2.Environment":
        import jinja2  # noqa: PLC0415 - see the class

        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader([*self._folders, BASE]),
            undefined=jinja2.StrictUndefined,
            autoescape=True,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters |= {"money": money, "moment": moment, "plural": plural}
        environment.filters |= {
            each.__name__: each for each in (age, at_clock, clock, instant, rate, share, size, span)
        }
        environment.globals["asset"] = self._assets.address
        return environment

"""The files of the pages: styles, scripts and fonts, each under an address of its own content."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from emporion.chassis.http.exchange import Exchange, Header, Response
from emporion.chassis.http.problem import NoSuchRoute

FOLDER: Final = Path(__file__).parent / "static"
_TYPES: Final = {
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
    ".woff2": b"font/woff2",
}
_FOR_EVER: Final[Header] = (b"cache-control", b"public, max-age=31536000, immutable")
_ASK_AGAIN: Final[Header] = (b"cache-control", b"no-cache")


@dataclass(frozen=True, slots=True)
class Asset:
    """A file: its content, its type, and the version that its address names."""

    content: bytes
    content_type: bytes
    version: str


class Assets:
    """The files of a folder, each read when it is first asked for.

    An address with a version that is not ours (any more) answers what there is now, uncached: a
    page of another release of the shop still has its style.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._known: dict[str, Asset] = {}

    def address(self, name: str) -> str:
        """Where a file is served. Raises NoSuchRoute."""
        return f"/static/{self.find(name).version}/{name}"

    def find(self, name: str) -> Asset:
        """A file by its name, without folders. Raises NoSuchRoute."""
        if name not in self._known:
            path = self._folder / name
            content_type = _TYPES.get(path.suffix)
            if path.parent != self._folder or content_type is None or not path.is_file():
                raise NoSuchRoute
            content = path.read_bytes()
            version = hashlib.blake2b(content, digest_size=8).hexdigest()
            self._known[name] = Asset(content, content_type, version)
        return self._known[name]


class AssetRoute:
    """Serves the files. Styles name fonts beside themselves: any version finds them."""

    verb = "GET"
    path = "/static/{version}/{name}"

    def __init__(self, assets: Assets) -> None:
        self._assets = assets

    async def serve(self, exchange: Exchange) -> Response:
        """A file. Raises NoSuchRoute."""
        version, name = exchange.path_values
        asset = self._assets.find(name)
        is_lasting = version == asset.version or name.endswith(".woff2")
        cached = _FOR_EVER if is_lasting else _ASK_AGAIN
        return Response(200, [(b"content-type", asset.content_type), cached], asset.content)

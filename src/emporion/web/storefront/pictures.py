"""Pictures of products: our own, drawn from the product's id, the same for ever.

Nine tiles of quarter circles, discs, arches and bars in one of a few palettes: nothing is fetched,
nothing is stored, and no two products are likely to look alike.
"""

import hashlib
from typing import Final

from emporion.chassis.http.exchange import Exchange, Response
from emporion.kernel.errors import NotFound
from emporion.kernel.ids import PRODUCT, has_prefix
from emporion.web.security import PICTURE_POLICY

TILE: Final = 100
TILES: Final = 3
PALETTES: Final = (
    ("#f3e3cf", "#0f5c63", "#d96f4a", "#e9b44c", "#1d3a44"),
    ("#e3ece4", "#24544a", "#e08e5b", "#f2cf8d", "#8aa899"),
    ("#f6ded2", "#8c3b2a", "#e0a458", "#34656d", "#f8f1e5"),
    ("#e4e6ef", "#33406b", "#e58b76", "#f3cfa1", "#8b9ac4"),
    ("#efe6d5", "#5c4a2f", "#b8863b", "#7d9a6b", "#d8c3a0"),
    ("#dfecef", "#17506b", "#f0b66b", "#d4614c", "#9cc3cd"),
)


def picture(product_id: str) -> str:
    """The picture of a product, as SVG of 300 by 300."""
    drawn = hashlib.blake2b(product_id.encode(), digest_size=2 + 3 * TILES * TILES).digest()
    palette = PALETTES[drawn[0] % len(PALETTES)]
    shapes = []
    for index in range(TILES * TILES):
        kind, turn, ink = drawn[2 + 3 * index : 5 + 3 * index]
        row, column = divmod(index, TILES)
        paper = palette[0] if (row + column + drawn[1]) % 2 else palette[4]
        inks = [colour for colour in palette[1:] if colour != paper]
        shapes.append(
            _tile(
                column,
                row,
                paper=paper,
                turn=turn % 4,
                body=_SHAPES[kind % len(_SHAPES)](
                    inks[ink % len(inks)], inks[(ink + 1) % len(inks)]
                ),
            )
        )
    size = TILE * TILES
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" '
        f'width="{size}" height="{size}">{"".join(shapes)}</svg>\n'
    )


def _tile(column: int, row: int, *, paper: str, turn: int, body: str) -> str:
    middle = TILE // 2
    return (
        f'<g transform="translate({column * TILE} {row * TILE})">'
        f'<rect width="{TILE}" height="{TILE}" fill="{paper}"/>'
        f'<g transform="rotate({90 * turn} {middle} {middle})">{body}</g></g>'
    )


def _quarter(ink: str, other: str) -> str:
    return (
        f'<path d="M0 0H100A100 100 0 0 1 0 100Z" fill="{ink}"/>'
        f'<path d="M0 0H45A45 45 0 0 1 0 45Z" fill="{other}"/>'
    )


def _disc(ink: str, other: str) -> str:
    return (
        f'<circle cx="50" cy="50" r="38" fill="{ink}"/>'
        f'<circle cx="50" cy="50" r="14" fill="{other}"/>'
    )


def _arch(ink: str, other: str) -> str:
    return (
        f'<path d="M10 100V50A40 40 0 0 1 90 50V100Z" fill="{ink}"/>'
        f'<path d="M32 100V58A18 18 0 0 1 68 58V100Z" fill="{other}"/>'
    )


def _bars(ink: str, other: str) -> str:
    return (
        f'<path d="M0 0H20V100H0ZM40 0H60V100H40ZM80 0H100V100H80Z" fill="{ink}"/>'
        f'<circle cx="50" cy="50" r="20" fill="{other}"/>'
    )


def _leaf(ink: str, other: str) -> str:
    return (
        f'<path d="M0 0A100 100 0 0 1 100 100A100 100 0 0 1 0 0Z" fill="{ink}"/>'
        f'<circle cx="82" cy="20" r="11" fill="{other}"/>'
    )


def _halves(ink: str, other: str) -> str:
    return (
        f'<path d="M0 50A50 50 0 0 1 100 50Z" fill="{ink}"/>'
        f'<path d="M0 100A50 50 0 0 1 100 100Z" fill="{other}"/>'
    )


def _corner(ink: str, other: str) -> str:
    return (
        f'<path d="M0 0L100 100H0Z" fill="{ink}"/><circle cx="68" cy="32" r="16" fill="{other}"/>'
    )


_SHAPES: Final = (_quarter, _disc, _arch, _bars, _leaf, _halves, _corner, _quarter)


class PictureRoute:
    """Serves the pictures; whether there is such a product nobody asks."""

    verb = "GET"
    path = "/pictures/{product_id}"

    async def serve(self, exchange: Exchange) -> Response:
        """A picture. Raises NotFound for what is no id of a product."""
        product_id = exchange.path_values[0].removesuffix(".svg")
        if not has_prefix(product_id, PRODUCT):
            raise NotFound
        return Response(
            200,
            [
                (b"content-type", b"image/svg+xml"),
                (b"cache-control", b"public, max-age=31536000, immutable"),
                (b"content-security-policy", PICTURE_POLICY.encode()),
            ],
            picture(product_id).encode(),
        )

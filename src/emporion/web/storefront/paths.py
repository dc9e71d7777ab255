"""Which addresses the storefront answers: known before anything of it is loaded."""

from typing import Final

HOME: Final = "/"
PATHS: Final = (
    ("GET", "/static/{version}/{name}"),
    ("GET", "/pictures/{product_id}"),
    ("GET", "/products/{product_id}"),
    ("GET", "/cart"),
    ("POST", "/cart/items"),
    ("POST", "/cart/items/{sku}"),
    ("GET", "/checkout"),
    ("POST", "/checkout"),
    ("GET", "/orders"),
    ("GET", "/orders/{order_id}"),
    ("GET", "/orders/{order_id}/live"),
    ("POST", "/orders/{order_id}/cancel"),
    ("POST", "/orders/{order_id}/again"),
    ("GET", "/sign-in"),
    ("POST", "/sign-in"),
    ("GET", "/sign-up"),
    ("POST", "/sign-up"),
    ("POST", "/sign-out"),
)
"""Verb and template of each, beside HOME."""

"""The base of value objects and domain events: immutable, compared by value, cheap."""

import msgspec


class Value(msgspec.Struct, frozen=True, gc=False):
    """An immutable value.

    A struct instead of a frozen dataclass: it is built, encoded and decoded several times faster,
    which decides the cost of an order (docs/adr/0007-kernel-values-are-structs.md).
    """

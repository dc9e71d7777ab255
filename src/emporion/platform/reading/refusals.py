"""Why a shop's databases cannot be read or written by a command."""

from emporion.kernel.errors import FailedPrecondition, NotFound


class NoShopHere(NotFound):
    """The data folder does not exist or holds no shop."""

    slug = "no-shop-here"
    title = "There is no shop in this folder"


class ReadOnly(FailedPrecondition):
    """The database was opened for reading."""

    slug = "read-only"
    title = "This database was opened for reading"


class ShopNotRunning(FailedPrecondition):
    """The shop is one of several processes, and they do not run."""

    slug = "shop-not-running"
    title = "This takes a running shop"

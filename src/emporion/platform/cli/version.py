"""`emporion version`."""


def version() -> None:
    """Print the version.

    For example:  emporion version
    """
    from importlib.metadata import version as installed_version

    print(installed_version("emporion"))

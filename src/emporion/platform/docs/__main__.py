"""`python -m emporion.platform.docs`: draw the pictures and fill the quotations again."""

from pathlib import Path

from emporion.platform.docs.page import refresh
from emporion.platform.docs.quotes import refresh_guides

if __name__ == "__main__":
    refresh(Path.cwd())
    refresh_guides(Path.cwd())

"""`python -m emporion.platform.docs`: draw ARCHITECTURE.md of this checkout again."""

from pathlib import Path

from emporion.platform.docs.page import refresh

if __name__ == "__main__":
    refresh(Path.cwd())

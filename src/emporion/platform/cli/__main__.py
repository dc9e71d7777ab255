"""Runs the command line as `python -m emporion.platform.cli`, wherever the script is."""

from emporion.platform.cli.main import main

main()

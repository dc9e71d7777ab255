"""The command line: `emporion up`, `load`, `import`, `audit` and the rest."""

"""The vault: keys of people."""

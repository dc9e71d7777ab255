"""Draws the pictures of ARCHITECTURE.md from the code, so that they cannot be out of date."""

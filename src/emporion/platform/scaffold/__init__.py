"""Starts a new service: a folder that passes every check and does one small thing."""

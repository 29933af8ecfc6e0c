"""The ``osteoserve`` command: what it is asked for, how it says what happened."""

from osteoserve_client.cli.group import main

__all__ = ["main"]

"""Which service a subcommand talks to: the one that is named, or one of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def server_option(function: F) -> F:
    """Add ``--server HOST:PORT``."""
    option = click.option(
        "--server",
        metavar="HOST:PORT",
        envvar="OSTEOSERVE_SERVER",
        show_envvar=True,
        help="A running service. Without it, one is started for this call alone.",
    )
    return option(function)


@contextmanager
def service_address(server: str | None) -> Iterator[str]:
    """Address of the named service, or of an embedded one that lives as long as the context.

    Raises:
        ServiceUnavailableError: The embedded service could not be started.
    """
    if server is not None:
        yield server
        return
    from osteoserve_client.local_service import LocalService

    with LocalService() as local:
        yield local.address

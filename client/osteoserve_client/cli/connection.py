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
def service_address(server: str | None, *, model: str | None = None) -> Iterator[str]:
    """Address of the named service, or of an embedded one that lives as long as the context.

    Args:
        server: "HOST:PORT", or None for an embedded one.
        model: The one model that an embedded one needs to serve; None stands for all.

    Raises:
        ServiceUnavailableError: The embedded service could not be started.
    """
    if server is not None:
        yield server
        return
    from osteoserve_client.local_service import COMMAND, LocalService

    command = (*COMMAND, "--model", model) if model else COMMAND
    with LocalService(command=command) as local:
        yield local.address

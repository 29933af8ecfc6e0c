"""Which service a subcommand asks, the one that is named or one of its own, and which model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from osteoserve_client.service import Credentials, ServiceClient

_FILE = click.Path(dir_okay=False, path_type=Path)

_OPTIONS = (
    click.option(
        "--server",
        metavar="HOST:PORT",
        envvar="OSTEOSERVE_SERVER",
        show_envvar=True,
        help="A running service. Without it, one is started for this call alone.",
    ),
    click.option(
        "--tls-ca",
        type=_FILE,
        envvar="OSTEOSERVE_TLS_CA",
        show_envvar=True,
        help="Authority that signed the service's certificate, PEM: turns TLS on.",
    ),
    click.option(
        "--tls-certificate",
        type=_FILE,
        envvar="OSTEOSERVE_TLS_CERTIFICATE",
        show_envvar=True,
        help="Certificate to show a service that asks for one, PEM.",
    ),
    click.option(
        "--tls-key",
        type=_FILE,
        envvar="OSTEOSERVE_TLS_KEY",
        show_envvar=True,
        help="Its key, PEM, that nobody else may read.",
    ),
    # No --token: other users of the machine see the words of a command.
    click.option(
        "--token-file",
        type=_FILE,
        envvar="OSTEOSERVE_TOKEN_FILE",
        show_envvar=True,
        help="File with the token that the service asks for.",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running service, and what it takes to be let in.

    Args:
        address: "HOST:PORT".
        tls_ca: Authority of its certificate; None connects without TLS.
        tls_certificate: The client's own.
        tls_key: Of that certificate.
        token_file: Holds the token.
    """

    address: str
    tls_ca: Path | None
    tls_certificate: Path | None
    tls_key: Path | None
    token_file: Path | None

    def credentials(self) -> Credentials:
        """The client's.

        Raises:
            UsageError: They are not whole, or the token's file is not sound.
        """
        from osteoserve_client.service import Credentials, read_token

        return Credentials(
            ca=self.tls_ca,
            certificate=self.tls_certificate,
            key=self.tls_key,
            token=None if self.token_file is None else read_token(self.token_file),
        )


def server_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--server HOST:PORT`` and what it may need; one argument, a `Server`, or None."""

    @wraps(function)
    def with_server(*args: Any, server: str | None, **others: Any) -> Any:
        files = {name: others.pop(name) for name in _FILE_NAMES}
        if server is None:
            _refuse(files)
            return function(*args, server=None, **others)
        return function(*args, server=Server(address=server, **files), **others)

    for option in reversed(_OPTIONS):
        with_server = option(with_server)
    return with_server


_FILE_NAMES = ("tls_ca", "tls_certificate", "tls_key", "token_file")


def _refuse(files: dict[str, Path | None]) -> None:
    given = next((name for name, path in files.items() if path is not None), None)
    if given:
        raise click.UsageError(
            f"--{given.replace('_', '-')} is for a running service: name it by --server"
        )


@contextmanager
def service_client(server: Server | None, *, model: str | None = None) -> Iterator[ServiceClient]:
    """A client of the named service, or of an embedded one that lives as long as the context.

    Args:
        server: None for an embedded one.
        model: The one model that an embedded one needs to serve; None stands for all.

    Raises:
        ServiceUnavailableError: The embedded service could not be started.
        UsageError: The credentials are not sound.
    """
    from osteoserve_client.service import ServiceClient

    if server is not None:
        with ServiceClient(server.address, credentials=server.credentials()) as client:
            yield client
        return
    from osteoserve_client.local_service import COMMAND, LocalService

    command = (*COMMAND, "--model", model) if model else COMMAND
    with LocalService(command=command) as local, ServiceClient(local.address) as client:
        yield client

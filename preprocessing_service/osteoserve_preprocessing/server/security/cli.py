"""``osteoserve credentials``: certificates and tokens of a service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import click

from osteoserve_preprocessing.server.cli import one_line_errors

#: Exit code, as the command documents it.
NOT_WRITTEN = 6

_FILE = click.Path(dir_okay=False, path_type=Path)

tokens_option = click.option(
    "--tokens", required=True, type=_FILE, help="The service's token file (serve --tokens)."
)
hosts_option = click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="Name or address by which others reach it; may be repeated. localhost, 127.0.0.1 and ::1 "
    "are always among them.",
)
days_option = click.option(
    "--days",
    type=click.IntRange(1, 3650),
    default=365,
    show_default=True,
    help="How long certificates are valid; that of the authority, ten years.",
)
name_option = click.option("--name", required=True, help="What logs call the client.")


@click.group()
def credentials() -> None:
    """Make certificates and tokens, with which a service knows its clients and they know it."""


@credentials.command()
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the files; made where it does not exist.",
)
@hosts_option
@days_option
def init(output: Path, hosts: tuple[str, ...], days: int) -> None:
    """Make an authority, certificates of server and client, and a first token.

    Nothing that exists is written over. Keep ca.key elsewhere: whoever has it can be anybody.
    """
    with _errors():
        from osteoserve_preprocessing.server.records import utc_now
        from osteoserve_preprocessing.server.security.first_credentials import (
            make_first_credentials,
        )

        written = make_first_credentials(output, hosts, now=utc_now(), days=days)
    for path in written:
        click.echo(path)


@credentials.command()
@click.option(
    "--authority",
    required=True,
    metavar="DIR",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="Folder of ca.crt and ca.key, as init made them.",
)
@click.option(
    "--for",
    "role",
    required=True,
    type=click.Choice(["server", "client", "node"]),
    help="Who shows it: the service, one of its clients, or a DICOM node, which is both.",
)
@click.option("--name", metavar="NAME", help="Of the files, and of the client.  [default: --for]")
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for NAME.crt and NAME.key; made where it does not exist.",
)
@hosts_option
@days_option
def certificate(
    authority: Path, role: str, name: str | None, output: Path, hosts: tuple[str, ...], days: int
) -> None:
    """Make a further certificate: of another client, of a DICOM node, or in renewal.

    Nothing that exists is written over.
    """
    with _errors():
        from osteoserve_preprocessing.server.records import utc_now
        from osteoserve_preprocessing.server.security.further_certificates import (
            make_further_certificate,
        )

        written = make_further_certificate(
            output,
            role,
            authority=authority,
            name=name or role,
            hosts=hosts,
            now=utc_now(),
            days=days,
        )
    for path in written:
        click.echo(path)


@credentials.command()
@tokens_option
@name_option
@click.option(
    "--scopes",
    required=True,
    metavar="SCOPE[,SCOPE]",
    help="What it may ask for: segment, models, health, reflection.",
)
@click.option("--days", type=click.IntRange(1), help="For how long.  [default: until revoked]")
def token(tokens: Path, name: str, scopes: str, days: int | None) -> None:
    """Add a token and print it: this once, for only its hash is kept.

    A running service takes it from the next call on.
    """
    with _errors():
        from osteoserve_preprocessing.server.records import utc_now
        from osteoserve_preprocessing.server.security.token_changes import add_token
        from osteoserve_preprocessing.server.security.tokens import new_token

        expires = None if days is None else utc_now() + timedelta(days=days)
        made, entry = new_token(name, map(str.strip, scopes.split(",")), expires=expires)
        add_token(tokens, entry)
    click.echo(made)


@credentials.command()
@tokens_option
@name_option
def revoke(tokens: Path, name: str) -> None:
    """Take a client's token out; a running service refuses it from the next call on."""
    with _errors():
        from osteoserve_preprocessing.server.security.token_changes import remove_token

        remove_token(tokens, name)


@contextmanager
def _errors() -> Iterator[None]:
    with one_line_errors("credentials"):
        try:
            yield
        except OSError as error:
            raise _NotWritten(f"{error.filename} cannot be written: {error.strerror}") from error


class _NotWritten(click.ClickException):
    exit_code = NOT_WRITTEN

"""``osteoserve serve`` and ``osteoserve doctor``; what they need is loaded when they run."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from osteoserve_preprocessing.errors import OptionError, PreprocessingError
from osteoserve_preprocessing.server.settings import DEFAULT_PORT, Settings

#: Exit codes, as the command documents them: 2 usage, 4 service unavailable.
USAGE, UNAVAILABLE = 2, 4

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address; other than loopback only with TLS and clients that are known.",
)
@click.option("--port", default=DEFAULT_PORT, show_default=True, help="0 takes a free one.")
@click.option(
    "--triton", metavar="HOST:PORT", help="An external Triton's gRPC; without it, one is started."
)
@click.option("--repository", type=_FOLDER, help="Model repository. Default: the one shipped.")
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME",
    help="Serve this model of the repository; may be repeated. Default: all of them.",
)
@click.option(
    "--profile",
    type=click.Choice(["cpu", "gpu"]),
    default="cpu",
    show_default=True,
    help="Deployment profile of the embedded Triton.",
)
@click.option("--triton-log", type=_FILE, help="Where the embedded Triton writes its log.")
@click.option("--reflection", is_flag=True, help="Answer gRPC server reflection.")
@click.option("--tls-certificate", type=_FILE, help="The server's certificate, PEM: turns TLS on.")
@click.option("--tls-key", type=_FILE, help="Its key, PEM, that nobody else may read.")
@click.option(
    "--tls-client-ca", type=_FILE, help="Ask clients for a certificate that this CA has signed."
)
@click.option(
    "--tokens", type=_FILE, help="Ask for a token of this file (osteoserve credentials token)."
)
@click.option("--audit-log", type=_FILE, help="Append one line of JSON a request: who, what, when.")
@click.option(
    "--announce",
    is_flag=True,
    help='Print {"address": "HOST:PORT"} once serving, and stop when standard input ends.',
)
@click.option("--json", "as_json", is_flag=True, help="Print the same line, and keep serving.")
def serve(
    host: str,
    port: int,
    triton: str | None,
    repository: Path | None,
    models: tuple[str, ...],
    profile: str,
    triton_log: Path | None,
    reflection: bool,
    tls_certificate: Path | None,
    tls_key: Path | None,
    tls_client_ca: Path | None,
    tokens: Path | None,
    audit_log: Path | None,
    announce: bool,
    as_json: bool,
) -> None:
    """Run the preprocessing service, with a Triton of its own or an external one."""
    with one_line_errors("serve"):
        settings = Settings(
            host=host,
            port=port,
            triton=triton,
            repository=repository,
            models=models,
            profile=profile,
            triton_log=triton_log,
            reflection=reflection,
            tls_certificate=tls_certificate,
            tls_key=tls_key,
            tls_client_ca=tls_client_ca,
            tokens=tokens,
            audit_log=audit_log,
        )
        # gRPC's core writes its own words to standard error, also about what we report ourselves.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        from osteoserve_preprocessing.server.app import run

        _log_to_standard_error()
        run(
            settings,
            announce=_announcement(as_json=announce or as_json),
            until_stdin_ends=announce,
        )


@click.command()
@click.option("--port", default=DEFAULT_PORT, show_default=True, help="Where it would listen.")
@click.option("--triton", metavar="HOST:PORT", help="Ask this Triton instead of starting one.")
@click.option("--repository", type=_FOLDER, help="Model repository. Default: the one shipped.")
@click.option("--profile", type=click.Choice(["cpu", "gpu"]), default="cpu", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")
def doctor(
    port: int, triton: str | None, repository: Path | None, profile: str, as_json: bool
) -> None:
    """Say what is wrong with this machine, and how to mend it.

    Ends with 0 where everything that is needed works, else with 4.
    """
    with one_line_errors("doctor"):
        settings = Settings(port=port, triton=triton, repository=repository, profile=profile)
        from osteoserve_preprocessing.server.doctor import examine, healthy, report

        findings = examine(settings)
        click.echo(report(findings, as_json=as_json))
    if not healthy(findings):
        raise click.exceptions.Exit(UNAVAILABLE)


def _announcement(*, as_json: bool) -> Callable[[str], None]:
    def announce(address: str) -> None:
        click.echo(json.dumps({"address": address}) if as_json else f"serving on {address}")

    return announce


def _log_to_standard_error() -> None:
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )


@contextmanager
def one_line_errors(command: str) -> Iterator[None]:
    """Errors of this package, and absent dependencies, as one line and an exit code."""
    try:
        yield
    except OptionError as error:
        raise click.UsageError(str(error)) from error
    except PreprocessingError as error:
        raise _Unavailable(str(error)) from error
    except ModuleNotFoundError as error:
        raise _Unavailable(
            f"osteoserve {command} needs {error.name}, which is not installed: "
            "pip install 'osteoserve[service]'"
        ) from error


class _Unavailable(click.ClickException):
    exit_code = UNAVAILABLE

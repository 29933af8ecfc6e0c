"""``osteoserve serve`` and ``osteoserve doctor``; what they need is loaded when they run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from osteoserve_preprocessing.errors import OptionError, PreprocessingError
from osteoserve_preprocessing.server.configuration import Configuration, parameters

#: Exit codes, as the command documents them: 2 usage, 4 service unavailable.
USAGE, UNAVAILABLE = 2, 4


@click.command(params=parameters())
@click.option(
    "--announce",
    is_flag=True,
    help='Print {"address": "HOST:PORT"} once serving, and stop when standard input ends.',
)
@click.option("--json", "as_json", is_flag=True, help="Print the same line, and keep serving.")
def serve(announce: bool, as_json: bool, **_: Any) -> None:
    """Run the preprocessing service, with a Triton of its own or an external one."""
    with one_line_errors("serve"):
        settings = Configuration.of(click.get_current_context()).settings()
        # gRPC's core writes its own words to standard error, also about what we report ourselves.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        from osteoserve_preprocessing.server.app import run
        from osteoserve_preprocessing.server.observability.logs import log_to_standard_error

        log_to_standard_error(form=settings.log_format, level=settings.log_level)
        run(
            settings,
            announce=_announcement(as_json=announce or as_json),
            until_stdin_ends=announce,
        )


@click.command(params=parameters())
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")
def doctor(as_json: bool, **_: Any) -> None:
    """Say what is wrong with this machine for such a service, and how to mend it.

    Takes the settings of the service, and shows each one with where it came from. Ends with 0
    where everything that is needed works, else with 4.
    """
    with one_line_errors("doctor"):
        configuration = Configuration.of(click.get_current_context())
        settings = configuration.settings()
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        from osteoserve_preprocessing.server.doctor import examine, healthy, report

        findings = examine(settings)
        click.echo(report(findings, configuration.rows(), as_json=as_json))
    if not healthy(findings):
        raise click.exceptions.Exit(UNAVAILABLE)


def _announcement(*, as_json: bool) -> Callable[[str], None]:
    def announce(address: str) -> None:
        click.echo(json.dumps({"address": address}) if as_json else f"serving on {address}")

    return announce


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

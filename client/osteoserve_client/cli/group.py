"""The command itself: finds its subcommands, and turns errors into one line and an exit code."""

from __future__ import annotations

import errno
import os
import sys
from importlib.metadata import EntryPoint, entry_points, version
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn, TextIO

import click

from osteoserve_client.errors import INTERRUPTED, OsteoserveError, OutputError

#: Every package of the distribution, and any other that is installed, brings subcommands here.
GROUP = "osteoserve.commands"

#: What to install for a subcommand whose packages are absent.
EXTRAS = MappingProxyType(
    {"serve": "service", "doctor": "service", "credentials": "service", "train": "export"}
)


class EntryPointGroup(click.Group):
    """A group whose subcommands are entry points, each loaded only when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the subcommands that are installed, in alphabetical order."""
        del ctx
        return sorted(_commands())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one subcommand; None where there is none of that name."""
        entry = _commands().get(cmd_name)
        if entry is None:
            return None
        try:
            command = entry.load()
        except ModuleNotFoundError as error:
            return _absent(cmd_name, error, ctx)
        if not isinstance(command, click.Command):
            raise TypeError(f"the entry point {entry.value} is no click command")
        return command


def _commands() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _absent(name: str, error: ModuleNotFoundError, ctx: click.Context) -> click.Command:
    """Stand in for a subcommand whose dependencies are not installed: say which, when called."""
    del ctx
    extra = EXTRAS.get(name, name)
    sentence = f"needs {error.name}, which is not installed: pip install 'osteoserve[{extra}]'"

    @click.command(
        name,
        help=f"({sentence})",
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )
    def absent() -> NoReturn:
        raise click.UsageError(f"osteoserve {name} {sentence}")

    return absent


@click.group(
    cls=EntryPointGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=(
        "Exit codes: 0 done; 1 unexpected failure; 2 wrong usage; 3 input refused; "
        "4 service unavailable or busy; 5 service refused or failed; 6 output not written; "
        "7 some of a batch failed."
    ),
)
@click.version_option(version("osteoserve"), prog_name="osteoserve")
def osteoserve() -> None:
    """Whole volume in, skeleton out, over gRPC, on NVIDIA Triton.

    Not a medical device: for research only.
    """


def main() -> NoReturn:
    """Run the command and end the process with the exit code that fits what happened."""
    # gRPC's core writes its own words to standard error, also about what we report ourselves.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    # Before numpy is loaded, here and in the processes that commands start: numpy asks for pages of
    # 2 MiB for large arrays. A virtual machine has given such pages back to its host, and gets them
    # anew in 0.6 s for 262 MB; small ones, of which it keeps some, take 0.1 s, and 0.08 s more than
    # large ones where all memory stays (docs/performance.md).
    os.environ.setdefault("NUMPY_MADVISE_HUGEPAGE", "0")
    code = _run()
    for stream in filter(None, (sys.stdout, sys.stderr)):
        _give_up_unsaid(stream)
    sys.exit(code)


def _run() -> int:
    try:
        code = osteoserve(standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.Abort:
        _say("interrupted")
        return INTERRUPTED
    except click.ClickException as error:
        _say(error.format_message())
        return error.exit_code
    except OsteoserveError as error:
        _say(str(error))
        return error.exit_code
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            # What the command says goes to a file, on a disk that is full.
            _say(f"not all could be written: {os.strerror(error.errno)}")
            return OutputError.exit_code
        # The last resort: a line, not a traceback.
        if os.environ.get("OSTEOSERVE_TRACEBACK"):
            raise
        # The text of an unforeseen error may hold a patient's data; its type cannot.
        _say(
            f"unexpected {type(error).__name__}; run again with OSTEOSERVE_TRACEBACK=1 to see "
            "where (a traceback may show patient data)"
        )
        return 1
    return code if isinstance(code, int) else 0


def _give_up_unsaid(stream: TextIO) -> None:
    """Keep Python from trying once more when it ends, which would change the exit code to 120."""
    try:
        stream.flush()
    except OSError:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), stream.fileno())


def _say(line: str) -> None:
    click.echo(f"osteoserve: {line}", err=True)

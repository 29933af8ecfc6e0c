"""The command itself, and its subcommands that look at what a node holds."""

from __future__ import annotations

import json
import signal
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

import click

from osteoserve_client.cli.connection import Server, server_option, service_client
from osteoserve_client.cli.node.options import node_options

spool_option = click.option(
    "--spool",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="OSTEOSERVE_SPOOL",
    show_envvar=True,
    help="Folder of everything that must survive; it holds patients' images.",
)


@click.group(invoke_without_command=True, subcommand_metavar="[list | retry | forget]")
@spool_option
@node_options
@server_option
@click.pass_context
def node(ctx: click.Context, /, spool: Path | None, server: Server | None, **given: Any) -> None:
    """Take studies by DICOM, have them segmented, send the masks back.

    Runs until SIGTERM or SIGINT, which let it drain. Takes CT, enhanced CT and nuclear medicine by
    C-STORE. What became of every series: osteoserve node list.
    """
    if ctx.invoked_subcommand is None:
        _run(_named(spool), server, given)
    else:
        ctx.obj = spool


@node.command("list")
@spool_option
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")
@click.pass_obj
def list_jobs(before: Path | None, spool: Path | None, as_json: bool) -> None:
    """Say what became of every series; the node may be running."""
    from osteoserve_client.node.table import lines, rows

    found = rows(_named(spool or before))
    click.echo(json.dumps(found, indent=2) if as_json else "\n".join(lines(found)))


@node.command()
@spool_option
@click.argument("job")
@click.pass_obj
def retry(before: Path | None, spool: Path | None, job: str) -> None:
    """Do a failed job again now, even one whose series may not be whole."""
    _ask(_named(spool or before), "retry", job)


@node.command()
@spool_option
@click.argument("job")
@click.pass_obj
def forget(before: Path | None, spool: Path | None, job: str) -> None:
    """Forget a job that is over, so that its series is segmented anew when it comes again."""
    _ask(_named(spool or before), "forget", job)


def _named(spool: Path | None) -> Path:
    if spool is None:
        raise click.UsageError("which spool? Say --spool DIR")
    return spool.absolute()


def _ask(spool: Path, verb: str, job: str) -> None:
    from osteoserve_client.errors import InputNotFoundError
    from osteoserve_client.node.housekeeping import ask
    from osteoserve_client.node.table import rows

    if job not in {row["job"] for row in rows(spool)}:
        raise InputNotFoundError("there is no such job; osteoserve node list shows them")
    ask(spool, verb, job)


def _run(spool: Path, server: Server | None, given: dict[str, Any]) -> None:
    from osteoserve_client.cli.node.choices import destinations_of, settings_of
    from osteoserve_client.node.daemon import run
    from osteoserve_client.node.events import log_to
    from osteoserve_client.node.masks import Masks
    from osteoserve_client.segmenting.options import Options

    settings = settings_of(spool, given)
    destinations = destinations_of(settings, given)
    masks = Masks(
        partial(service_client, server),
        ct=Options(model=given["ct_model"], resample_tilt=given["resample_tilt"]),
        nm=Options(model=given["nm_model"]),
    )
    log_to(sys.stderr)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    run(settings, masks, destinations, stop=stop)

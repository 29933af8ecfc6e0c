"""``osteoserve bench``: how fast this machine is, beside what a user would run without us."""

from __future__ import annotations

from pathlib import Path

import click

from osteoserve_benchmarks.comparison.command import compare
from osteoserve_benchmarks.options import (
    WAYS,
    check_packages,
    check_target,
    json_option,
    rounds_option,
    say,
    slices_option,
    write,
)
from osteoserve_benchmarks.peers.command import peers
from osteoserve_benchmarks.scaling.command import scaling
from osteoserve_benchmarks.throughput.command import throughput
from osteoserve_client.cli.connection import Server, server_option


@click.group()
def bench() -> None:
    """Measure this machine: one volume, many at once, small ones and large ones."""


@bench.command()
@slices_option
@server_option
@rounds_option
@json_option
def volume(slices: int, server: Server | None, rounds: int, json_file: Path | None) -> None:
    """Time one volume from DICOM files to SEG and NIfTI by every way.

    Ours goes through a warm service; the plain way is the script that a researcher would write,
    the tuned one that script with ONNX Runtime. docs/benchmarks.md says what every figure means.
    """
    check_packages("volume", WAYS)
    check_target(json_file)
    from osteoserve_benchmarks.document import volume_document
    from osteoserve_benchmarks.plot import plot
    from osteoserve_benchmarks.terminal import show
    from osteoserve_benchmarks.volume import measure_volume

    found = measure_volume(
        slices=slices,
        rounds=rounds,
        server=server.address if server else None,
        credentials=server.credentials() if server else None,
        say=say,
    )
    document = volume_document(found)
    show(document)
    if not found.same_engine:
        click.echo(
            "note: the service answers with another model or precision than the one that ran in "
            "process, so the two are not compared",
            err=True,
        )
    if json_file is not None:
        write(document, plot, json_file)


for command in (throughput, scaling, peers, compare):
    bench.add_command(command)

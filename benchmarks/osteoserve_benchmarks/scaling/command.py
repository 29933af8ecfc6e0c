"""``osteoserve bench scaling``."""

from __future__ import annotations

from pathlib import Path

import click

from osteoserve_benchmarks.options import (
    SERVICE,
    check_packages,
    check_target,
    json_option,
    numbers,
    rounds_option,
    say,
    write,
)
from osteoserve_client.cli.connection import Server, server_option


@click.command()
@click.option(
    "--slices",
    callback=numbers(int, 2, 2000),
    metavar="N,N,...",
    default="50,100,200,400,800,1600",
    show_default=True,
    help="Of a whole-body phantom, 512x512 each: one body, in ever thinner slices.",
)
@server_option
@rounds_option
@json_option
def scaling(
    slices: tuple[int, ...], server: Server | None, rounds: int, json_file: Path | None
) -> None:
    """Time volumes of several sizes from DICOM files to SEG and NIfTI, and watch the memory.

    Fits a straight line to both. Memory is that of service and Triton, above what they hold idle;
    of a running service it is not known.
    """
    check_packages("scaling", SERVICE)
    check_target(json_file)
    from osteoserve_benchmarks.scaling.document import scaling_document
    from osteoserve_benchmarks.scaling.measure import measure_scaling
    from osteoserve_benchmarks.scaling.plot import plot
    from osteoserve_benchmarks.scaling.terminal import show

    found = measure_scaling(
        slices=slices,
        rounds=rounds,
        server=server.address if server else None,
        credentials=server.credentials() if server else None,
        say=say,
    )
    document = scaling_document(found)
    show(document)
    if json_file is not None:
        write(document, plot, json_file)

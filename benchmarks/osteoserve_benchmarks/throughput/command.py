"""``osteoserve bench throughput``."""

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
    slices_option,
    write,
)
from osteoserve_client.cli.connection import Server, server_option


@click.command()
@slices_option
@click.option(
    "--concurrency",
    callback=numbers(int, 1, 64),
    metavar="N,N,...",
    default="1,2,4,8",
    show_default=True,
    help="Clients of the closed loop, one load after the other.",
)
@click.option(
    "--rates",
    callback=numbers(float, 1, 1e6),
    metavar="N,N,...",
    help="Arrivals of the open loop, volumes an hour. Default: 50, 80 and 110 % of what the "
    "closed loop reached.",
)
@click.option(
    "--duration",
    type=click.FloatRange(0.1),
    default=60.0,
    show_default=True,
    help="Seconds of each load, in which volumes are sent.",
)
@click.option(
    "--triton", metavar="HOST:PORT", help="gRPC of the Triton behind --server, for its statistics."
)
@server_option
@rounds_option
@json_option
def throughput(
    slices: int,
    concurrency: tuple[int, ...],
    rates: tuple[float, ...],
    duration: float,
    triton: str | None,
    server: Server | None,
    rounds: int,
    json_file: Path | None,
) -> None:
    """Count volumes an hour with several clients at once, and how long each volume waits.

    In the closed loop a client sends its next volume when the last is answered; in the open loop
    volumes arrive by chance at a set rate, and latency counts from then.
    """
    check_packages("throughput", SERVICE)
    check_target(json_file)
    if triton and server is None:
        raise click.UsageError("--triton is the one behind a running service: name it by --server")
    from osteoserve_benchmarks.throughput.document import throughput_document
    from osteoserve_benchmarks.throughput.measure import measure_throughput
    from osteoserve_benchmarks.throughput.plot import plot
    from osteoserve_benchmarks.throughput.terminal import show
    from osteoserve_client.errors import ServiceError

    found = measure_throughput(
        slices=slices,
        concurrency=concurrency,
        duration_s=duration,
        rounds=rounds,
        rates=rates,
        server=server.address if server else None,
        credentials=server.credentials() if server else None,
        triton=triton,
        say=say,
    )
    document = throughput_document(found)
    show(document)
    if json_file is not None:
        write(document, plot, json_file)
    if not document["masks_identical"]:
        raise ServiceError("the service answered one volume with different masks")

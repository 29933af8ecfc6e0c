"""``osteoserve bench peers``."""

from __future__ import annotations

from pathlib import Path

import click

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
from osteoserve_benchmarks.peers.peer import PEERS, REMEDY, Peer, chosen


def _named(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[Peer, ...]:
    try:
        return chosen(value.split(",") if value else ())
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from error


@click.command()
@slices_option
@click.option(
    "--only",
    "peers",
    callback=_named,
    metavar="NAME,...",
    help=f"Of {', '.join(PEERS)}. Default: all.",
)
@rounds_option
@json_option
def peers(slices: int, peers: tuple[Peer, ...], rounds: int, json_file: Path | None) -> None:
    """Time what others compute of one volume, on the CPU, as context.

    Networks are of the peers' own usual size, with random weights. Each does another task than
    ours, so no ratio is made of the times. With 500 slices a peer takes minutes a round.
    """
    check_packages("peers", WAYS)
    check_target(json_file)
    if not any(peer.installed for peer in peers):
        raise click.UsageError(
            f"none of {', '.join(peer.name for peer in peers)} is installed: {REMEDY}"
        )
    from osteoserve_benchmarks.peers.document import peers_document
    from osteoserve_benchmarks.peers.measure import measure_peers
    from osteoserve_benchmarks.peers.plot import plot
    from osteoserve_benchmarks.peers.terminal import show

    document = peers_document(measure_peers(peers, slices=slices, rounds=rounds, say=say))
    show(document)
    if json_file is not None:
        write(document, plot, json_file)

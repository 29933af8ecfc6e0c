"""``osteoserve bench``: how fast this machine is, beside what a user would run without us."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import click

from osteoserve_client.cli.connection import Server, server_option

#: What the plain and the tuned way, the tables and the plot import.
NEEDED = ("torch", "scipy", "onnxruntime", "openvino", "safetensors", "matplotlib", "tritonclient")


@click.group()
def bench() -> None:
    """Measure latency on this machine, beside the plain and a tuned script in the same run."""


@bench.command()
@click.option(
    "--slices",
    type=click.IntRange(2, 2000),
    default=500,
    show_default=True,
    help="Of a whole-body phantom, 512x512 each.",
)
@server_option
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Runs of each way, in turn, after one to warm up.",
)
@click.option(
    "--json",
    "json_file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write every figure there, and the plot beside it as PNG.",
)
def volume(slices: int, server: Server | None, rounds: int, json_file: Path | None) -> None:
    """Time one volume from DICOM files to SEG and NIfTI by every way.

    Ours goes through a warm service; the plain way is the script that a researcher would write,
    the tuned one that script with ONNX Runtime. docs/benchmarks.md says what every figure means.
    """
    check_packages("volume")
    if json_file is not None:
        _check_target(json_file)
    from osteoserve_benchmarks.document import volume_document
    from osteoserve_benchmarks.terminal import show
    from osteoserve_benchmarks.volume import measure_volume

    found = measure_volume(
        slices=slices,
        rounds=rounds,
        server=server.address if server else None,
        credentials=server.credentials() if server else None,
        say=lambda words: click.echo(f"bench: {words}", err=True),
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
        from osteoserve_benchmarks.plot import plot

        json_file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        plot(document, json_file.with_suffix(".png"))
        click.echo(json_file)
        click.echo(json_file.with_suffix(".png"))


def check_packages(command: str, needed: Sequence[str] = NEEDED) -> None:
    """Say in one line what to install, where something is absent.

    Args:
        command: Subcommand of ``osteoserve bench``.
        needed: Modules that it imports.

    Raises:
        click.UsageError: One of them is not installed.
    """
    absent = next((name for name in needed if find_spec(name) is None), None)
    if absent is not None:
        raise click.UsageError(
            f"osteoserve bench {command} needs {absent}, which is not installed: "
            "pip install 'osteoserve[bench]'"
        )


def _check_target(file: Path) -> None:
    """Before minutes go by rather than after."""
    from osteoserve_client.errors import OutputError

    if not file.parent.is_dir():
        raise OutputError(f"{file.parent} is no folder")
    if file.suffix == ".png":
        raise click.UsageError("--json names the JSON file; the plot is written beside it")

"""What the subcommands of ``osteoserve bench`` share: their options, and what they need."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

#: What a service of one's own, the tables and the plots import.
SERVICE = ("scipy", "onnxruntime", "openvino", "matplotlib", "tritonclient")

#: What the plain and the tuned way import beside it.
WAYS = ("torch", "safetensors", *SERVICE)


def numbers(
    kind: type[int | float], least: float, most: float
) -> Callable[[click.Context, click.Parameter, str | None], tuple[Any, ...]]:
    """A callback for an option that takes numbers with commas between them.

    Args:
        kind: Of each, int or float.
        least: The smallest that is allowed.
        most: The largest.

    Returns:
        Makes a tuple, each number once, in the order in which they were named; none of None.
    """

    def read(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[Any, ...]:
        try:
            found = [kind(word) for word in value.split(",")] if value else []
        except ValueError as error:
            raise click.BadParameter(str(error), ctx, param) from error
        if not all(least <= number <= most for number in found):  # NaN neither
            raise click.BadParameter(f"each must be from {least:g} to {most:g}", ctx, param)
        return tuple(dict.fromkeys(found))

    return read


slices_option = click.option(
    "--slices",
    type=click.IntRange(2, 2000),
    default=500,
    show_default=True,
    help="Of a whole-body phantom, 512x512 each.",
)

rounds_option = click.option(
    "--rounds",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Runs of each, in turn, after one to warm up; five or more where runs are compared.",
)

json_option = click.option(
    "--json",
    "json_file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write every figure there, and the plot beside it as PNG.",
)


def say(words: str) -> None:
    """Tell the user what happens next."""
    click.echo(f"bench: {words}", err=True)


def check_packages(command: str, needed: Sequence[str]) -> None:
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


def check_target(file: Path | None) -> None:
    """Before minutes go by rather than after.

    Raises:
        OutputError: The file's folder is not there.
        click.UsageError: It would be the plot's.
    """
    from osteoserve_client.errors import OutputError

    if file is None:
        return
    if not file.parent.is_dir():
        raise OutputError(f"{file.parent} is no folder")
    if file.suffix == ".png":
        raise click.UsageError("--json names the JSON file; the plot is written beside it")


def write(
    document: dict[str, Any], plot: Callable[[dict[str, Any], Path], None], file: Path
) -> None:
    """Write a document, and its plot beside it; say where."""
    file.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    plot(document, file.with_suffix(".png"))
    click.echo(file)
    click.echo(file.with_suffix(".png"))

"""The options that say how to segment, for every command that does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

_OPTIONS = (
    click.option(
        "--stretcher",
        type=click.Choice(["body", "milara", "none"]),
        default="body",
        show_default=True,
        help="CT: how to remove the scanner's table.",
    ),
    click.option(
        "--normalisation",
        type=click.Choice(["interpatient", "inpatient"]),
        help="CT: default is what the model was trained with.",
    ),
    click.option(
        "--clip", is_flag=True, help="CT: leave out what is below the femora and the head."
    ),
    click.option(
        "--resample-tilt",
        is_flag=True,
        help="CT: resample the slices of a tilted gantry; without it they are refused.",
    ),
    click.option(
        "--view",
        metavar="VIEW[,VIEW]",
        help="Scans: anterior, posterior, or both in the order in which they stand side by side, "
        "where the file does not say.",
    ),
    click.option(
        "--brightness",
        type=click.FloatRange(0, min_open=True),
        help="Scans: factor of grey. Default: 1.",
    ),
    click.option(
        "--retry/--no-retry",
        default=True,
        show_default=True,
        help="Scans: try again 2.5 times as bright where regions are missing.",
    ),
    click.option(
        "--trust-views",
        is_flag=True,
        help="Scans: answer, with a warning, where the picture speaks against views or sides.",
    ),
)


def segment_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add them; named as the fields of `osteoserve_client.segmenting.options.Options`."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function

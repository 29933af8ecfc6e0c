"""``osteoserve phantom``: synthetic studies with their true label maps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

output_option = click.option(
    "-o",
    "--output",
    required=True,
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the study; made where it does not exist.",
)
seed_option = click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Which body."
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Say what was written as one JSON document."
)


@click.group()
def phantom() -> None:
    """Make a synthetic study, and on request its true label map."""


@phantom.command()
@output_option
@click.option("--slices", type=click.IntRange(1, 2000), default=120, show_default=True)
@click.option(
    "--region",
    # Spelled out: the phantom is imported only when one is made. A test compares the two.
    type=click.Choice(
        [
            "whole_body",
            "vertex_to_mid_thigh",
            "trunk",
            "head_neck",
            "thorax",
            "abdomen",
            "pelvis",
            "legs",
        ]
    ),
    default="vertex_to_mid_thigh",
    show_default=True,
    help="Part of the body, over which the slices are spread.",
)
@seed_option
@click.option("--labels", is_flag=True, help="Write the true label map too.")
@json_option
def ct(output: Path, slices: int, region: str, seed: int, labels: bool, as_json: bool) -> None:
    """Make a CT study: DIR/dicom, and with --labels DIR/labels.nii.gz.

    The same options give the same files, bit for bit.
    """
    from osteoserve_client.phantom import make_ct_phantom, write_dicom_study, write_label_map

    folder = output / "dicom"
    _refuse_filled(folder, "a study needs a folder of its own")
    made = make_ct_phantom(slices=slices, region=region, seed=seed)
    write_dicom_study(made, folder)
    written = {"dicom": str(folder)}
    if labels:
        written["labels"] = str(write_label_map(made, output / "labels.nii.gz"))
    _tell(written, {"slices": slices, "region": region, "seed": seed}, as_json=as_json)


@phantom.command()
@output_option
@seed_option
@click.option("--labels", is_flag=True, help="Write the true regions and hot spots too.")
@json_option
def scintigraphy(output: Path, seed: int, labels: bool, as_json: bool) -> None:
    """Make a whole-body bone scan, anterior and posterior: DIR/dicom.

    With --labels also DIR/labels: one PNG for each region and view, and regions.json, which
    names them. The same options give the same files, bit for bit.
    """
    from osteoserve_client.phantom.scintigraphy import (
        make_scintigraphy_phantom,
        write_labels,
        write_scintigraphy_study,
    )

    folder, truth = output / "dicom", output / "labels"
    _refuse_filled(folder, "a study needs a folder of its own")
    if labels:
        _refuse_filled(truth, "labels need a folder of their own")
    made = make_scintigraphy_phantom(seed)
    write_scintigraphy_study(made, folder)
    written = {"dicom": str(folder)}
    if labels:
        write_labels(made, truth)
        written["labels"] = str(truth)
    _tell(written, {"seed": seed}, as_json=as_json)


def _refuse_filled(folder: Path, why: str) -> None:
    from osteoserve_client.errors import OutputError

    if folder.exists() and any(folder.iterdir()):
        raise OutputError(f"{folder} is not empty: {why}")


def _tell(written: dict[str, str], drawn: dict[str, Any], *, as_json: bool) -> None:
    """Say what was written, and for a program what it was drawn from."""
    if as_json:
        click.echo(json.dumps(written | drawn))
        return
    for path in written.values():
        click.echo(path)

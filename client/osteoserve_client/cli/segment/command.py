"""The command: which of its two ways an input goes, and which options belong to which."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import click
from click.core import ParameterSource

from osteoserve_client.cli.connection import MODELS, server_option
from osteoserve_client.cli.progress import progress_bars
from osteoserve_client.cli.segment.stages import Times

#: Options that only one kind of input has.
OPTIONS: Final = MappingProxyType(
    {
        "CT": ("stretcher", "normalisation", "clip", "resample_tilt"),
        "NM": ("view", "brightness", "retry", "trust_views"),
    }
)
_KINDS: Final = MappingProxyType({"CT": "a CT study", "NM": "a bone scan"})


@click.command()
@click.argument("source", metavar="INPUT", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="OUT",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the outputs; made where it does not exist.",
)
@click.option(
    "--model", help=f"Which model to ask. Default: {MODELS['CT']} for CT, {MODELS['NM']} for scans."
)
@server_option
@click.option("--series", metavar="NUMBER", help="Which series, where the folder holds several.")
@click.option("--json", "as_json", is_flag=True, help="Say what was written as one JSON document.")
@click.option(
    "--stretcher",
    type=click.Choice(["body", "milara", "none"]),
    default="body",
    show_default=True,
    help="CT: how to remove the scanner's table.",
)
@click.option(
    "--normalisation",
    type=click.Choice(["interpatient", "inpatient"]),
    help="CT: default is what the model was trained with.",
)
@click.option("--clip", is_flag=True, help="CT: leave out what is below the femora and the head.")
@click.option(
    "--resample-tilt",
    is_flag=True,
    help="CT: resample the slices of a tilted gantry; without it they are refused.",
)
@click.option(
    "--view",
    metavar="VIEW[,VIEW]",
    help="Scans: anterior, posterior, or both in the order in which they stand side by side, where "
    "the file does not say.",
)
@click.option(
    "--brightness",
    type=click.FloatRange(0, min_open=True),
    help="Scans: factor of grey. Default: 1.",
)
@click.option(
    "--retry/--no-retry",
    default=True,
    show_default=True,
    help="Scans: try again 2.5 times as bright where regions are missing.",
)
@click.option(
    "--trust-views",
    is_flag=True,
    help="Scans: answer, with a warning, where the picture speaks against views or sides.",
)
@click.pass_context
def segment(ctx: click.Context, /, source: Path, series: str | None, **options: Any) -> None:
    """Segment INPUT and write masks, tables, report and picture into OUT.

    INPUT is a folder of DICOM files (nested as it may be), one DICOM file, a NIfTI, NRRD or
    MetaImage file (CT), or a PNG or TIFF (bone scans, with --view). For a CT study OUT then holds
    skeleton.nii.gz, skeleton.seg.dcm (for DICOM), volumes.csv, report.json and preview.png; for a
    whole-body bone scan regions.seg.dcm (for DICOM), a label image of each view, regions.csv,
    report.json and preview.png. All of them are written, or none.
    """
    from osteoserve_client.reading import InputFiles, modality_of

    times = Times()
    with progress_bars() as advance:
        # Headers are most of the reading: those that tell the modality are not read again.
        files = InputFiles(source, on_progress=lambda done, total: advance("Reading", done, total))
        modality = times.measured("read", lambda: modality_of(files, series=series))
    _check_options(ctx, modality)
    others = {name for kind, names in OPTIONS.items() if kind != modality for name in names}
    own = {name: value for name, value in options.items() if name not in others}
    own["model"] = own["model"] or MODELS[modality]
    if modality == "NM":
        from osteoserve_client.cli.segment.scintigram import segment_scintigram

        segment_scintigram(files, series=series, times=times, **own)
    else:
        from osteoserve_client.cli.segment.volume import segment_volume

        segment_volume(files, series=series, times=times, **own)


def _check_options(ctx: click.Context, modality: str) -> None:
    """Refuse an option that the input's kind does not have, rather than pass it over."""
    for kind, names in OPTIONS.items():
        for name in names:
            if kind != modality and ctx.get_parameter_source(name) is not ParameterSource.DEFAULT:
                option = next(p for p in ctx.command.params if p.name == name)
                raise click.UsageError(
                    f"{option.opts[0]} is for {_KINDS[kind]}, which the input is not"
                )

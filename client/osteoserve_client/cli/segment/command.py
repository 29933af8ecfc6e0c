"""The command: an input of either kind, and which options belong to which."""

from __future__ import annotations

import json
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import click
from click.core import ParameterSource

from osteoserve_client.cli.connection import Server, server_option, service_client
from osteoserve_client.cli.progress import progress_bars
from osteoserve_client.cli.segment.options import segment_options
from osteoserve_client.cli.segment.stages import Times, shown, summary, tell
from osteoserve_client.segmenting.options import MODELS, Options

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
@segment_options
@click.pass_context
def segment(
    ctx: click.Context,
    /,
    source: Path,
    output: Path,
    *,
    series: str | None,
    server: Server | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Segment INPUT and write masks, tables, report and picture into OUT.

    INPUT is a folder of DICOM files (nested as it may be), one DICOM file, a NIfTI, NRRD or
    MetaImage file (CT), or a PNG or TIFF (bone scans, with --view). For a CT study OUT then holds
    skeleton.nii.gz, skeleton.seg.dcm (for DICOM), volumes.csv, report.json and preview.png; for a
    whole-body bone scan regions.seg.dcm (for DICOM), a label image of each view, regions.csv,
    report.json and preview.png. All of them are written, or none.
    """
    from osteoserve_client.reading import InputFiles, modality_of
    from osteoserve_client.segmenting.whole import read_input

    times = Times()
    with progress_bars() as advance:

        def on_read(done: int, total: int) -> None:
            advance("Reading", done, total)

        # Headers are most of the reading: those that tell the modality are not read again.
        files = InputFiles(source, on_progress=on_read)
        modality = times.measured("read", lambda: modality_of(files, series=series))
        _check_options(ctx, modality)
        # Reading comes first: an input that is refused costs no start of a service.
        read = times.measured(
            "read",
            lambda: read_input(
                files, Options(**options), series=series, modality=modality, on_progress=on_read
            ),
        )
        with service_client(server, model=read.model) as client:
            answered = times.measured(
                "service", lambda: read.ask(client, on_progress=shown(advance))
            )
    segmented = times.measured("write", lambda: answered.write(output))
    if as_json:
        click.echo(json.dumps(summary(segmented, times), indent=2))
        return
    tell(
        times.line(segmented.subject, segmented.stages),
        (*segmented.warnings, *segmented.findings),
        segmented.paths,
        {".csv": segmented.found},
    )


def _check_options(ctx: click.Context, modality: str) -> None:
    """Refuse an option that the input's kind does not have, rather than pass it over."""
    for kind, names in OPTIONS.items():
        for name in names:
            if kind != modality and ctx.get_parameter_source(name) is not ParameterSource.DEFAULT:
                option = next(p for p in ctx.command.params if p.name == name)
                raise click.UsageError(
                    f"{option.opts[0]} is for {_KINDS[kind]}, which the input is not"
                )

"""``osteoserve segment``: a study in, its skeleton out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from osteoserve_client.cli.connection import server_option, service_address
from osteoserve_client.cli.progress import Advance, progress_bars

if TYPE_CHECKING:
    from osteoserve_client.study import Study
    from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb


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
@click.option("--model", default="unet_skeleton", show_default=True, help="Which model to ask.")
@server_option
@click.option("--series", metavar="NUMBER", help="Which series, where the folder holds several.")
@click.option(
    "--stretcher",
    type=click.Choice(["body", "milara", "none"]),
    default="body",
    show_default=True,
    help="How to remove the scanner's table.",
)
@click.option(
    "--normalisation",
    type=click.Choice(["interpatient", "inpatient"]),
    help="Default: what the model was trained with.",
)
@click.option("--clip", is_flag=True, help="Leave out what is below the femora and the head.")
@click.option(
    "--resample-tilt",
    is_flag=True,
    help="Resample the slices of a tilted gantry; without it they are refused.",
)
@click.option("--json", "as_json", is_flag=True, help="Say what was written as one JSON document.")
def segment(
    source: Path,
    output: Path,
    model: str,
    server: str | None,
    series: str | None,
    stretcher: str,
    normalisation: str | None,
    clip: bool,
    resample_tilt: bool,
    as_json: bool,
) -> None:
    """Segment the study INPUT and write mask, table, report and picture into OUT.

    INPUT is a folder of DICOM files (nested as it may be), one multi-frame DICOM file, or a
    NIfTI, NRRD or MetaImage file. OUT then holds skeleton.nii.gz, skeleton.seg.dcm (for DICOM),
    volumes.csv, report.json and preview.png, all of them or none.
    """
    from osteoserve_client.reading import read_study
    from osteoserve_client.service import ServiceClient, preprocessing_options
    from osteoserve_client.writing import check_study, write_outputs

    times: dict[str, float] = {}
    with progress_bars() as advance:
        # Reading comes first: a study that is refused costs no start of a service.
        study = _timed(
            times,
            "read",
            lambda: read_study(
                source,
                series=series,
                resample_tilt=resample_tilt,
                on_progress=lambda done, total: advance("Reading", done, total),
            ),
        )
        check_study(study)
        options = preprocessing_options(
            stretcher=stretcher, normalisation=normalisation, clip_femur_to_head=clip
        )
        with service_address(server, model=model) as address, ServiceClient(address) as client:
            labels, report = _timed(
                times,
                "service",
                lambda: client.segment(
                    study.volume, model=model, options=options, on_progress=_shown(advance)
                ),
            )
    written = _timed(times, "write", lambda: write_outputs(study, labels, report, output))
    if as_json:
        click.echo(json.dumps(_summary(study, report, times, written), indent=2))
    else:
        _tell(study, report, times, written)


def _timed(times: dict[str, float], stage: str, call: Callable[[], Any]) -> Any:
    start = perf_counter()
    result = call()
    times[stage] = perf_counter() - start
    return result


def _shown(advance: Advance) -> Callable[[pb.Progress], None]:
    """Draw the service's progress messages as bars."""
    from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb

    names = {
        pb.Progress.STAGE_QUEUED: "Queued",
        pb.Progress.STAGE_RECEIVING: "Sending",
        pb.Progress.STAGE_PREPROCESSING: "Preprocessing",
        pb.Progress.STAGE_INFERENCE: "Segmenting",
    }

    def show(progress: pb.Progress) -> None:
        if progress.stage in names:
            advance(names[progress.stage], progress.done, progress.total)

    return show


def _summary(
    study: Study, report: pb.SegmentReport, times: dict[str, float], written: tuple[Path, ...]
) -> dict[str, Any]:
    return {
        "outputs": [str(path) for path in written],
        "stages_s": {name: round(seconds, 3) for name, seconds in times.items()},
        "service_stages_s": {stage.stage: round(stage.seconds, 3) for stage in report.stages},
        "model": {"name": report.model.name, "version": report.model.version},
        "labels": [
            {"name": label.name, "voxels": label.voxels, "millilitres": label.millilitres}
            for label in report.labels
        ],
        "warnings": [*study.warnings, *report.preprocessing.warnings],
    }


def _tell(
    study: Study, report: pb.SegmentReport, times: dict[str, float], written: tuple[Path, ...]
) -> None:
    for warning in (*study.warnings, *report.preprocessing.warnings):
        click.echo(f"note: {warning}", err=True)
    inside = ", ".join(
        f"{stage.stage} {stage.seconds:.2f}" for stage in report.stages if stage.stage != "total"
    )
    slices = study.volume.geometry.shape[0]
    click.echo(
        f"{slices} slices in {sum(times.values()):.2f} s: read {times['read']:.2f}, service "
        f"{times['service']:.2f} ({inside}), write {times['write']:.2f}"
    )
    for path in written:
        click.echo(f"{path}  {_what(path, report)}".rstrip())


def _what(path: Path, report: pb.SegmentReport) -> str:
    """A few words on one output."""
    if path.suffix == ".csv":
        return "  ".join(f"{label.name} {label.millilitres:.0f} ml" for label in report.labels)
    return f"{path.stat().st_size / 1024:.0f} KiB"

"""A CT study: read, segmented, written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from osteoserve_client.cli.connection import Server, service_client
from osteoserve_client.cli.progress import progress_bars
from osteoserve_client.cli.segment.stages import Times, shown, tell

if TYPE_CHECKING:
    from osteoserve_client.reading import InputFiles
    from osteoserve_client.study import Study
    from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb


def segment_volume(
    source: InputFiles,
    output: Path,
    *,
    times: Times,
    model: str,
    server: Server | None,
    series: str | None,
    stretcher: str,
    normalisation: str | None,
    clip: bool,
    resample_tilt: bool,
    as_json: bool,
) -> None:
    """Segment a CT study and say what was written; see ``osteoserve segment --help``."""
    from osteoserve_client.reading import read_study
    from osteoserve_client.service import preprocessing_options
    from osteoserve_client.writing import check_study, write_outputs

    with progress_bars() as advance:
        # Reading comes first: a study that is refused costs no start of a service.
        study = times.measured(
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
        with service_client(server, model=model) as client:
            labels, report = times.measured(
                "service",
                lambda: client.segment(
                    study.volume, model=model, options=options, on_progress=shown(advance)
                ),
            )
    written = times.measured("write", lambda: write_outputs(study, labels, report, output))
    if as_json:
        click.echo(json.dumps(_summary(study, report, times, written), indent=2))
        return
    volumes = "  ".join(f"{label.name} {label.millilitres:.0f} ml" for label in report.labels)
    slices = study.volume.geometry.shape[0]
    tell(
        times.line(f"{slices} slices", report.stages),
        (*study.warnings, *report.preprocessing.warnings),
        written,
        {".csv": volumes},
    )


def _summary(
    study: Study, report: pb.SegmentReport, times: Times, written: tuple[Path, ...]
) -> dict[str, Any]:
    return {
        "outputs": [str(path) for path in written],
        "stages_s": times.rounded(),
        "service_stages_s": {stage.stage: round(stage.seconds, 3) for stage in report.stages},
        "model": {"name": report.model.name, "version": report.model.version},
        "labels": [
            {"name": label.name, "voxels": label.voxels, "millilitres": label.millilitres}
            for label in report.labels
        ],
        "warnings": [*study.warnings, *report.preprocessing.warnings],
    }

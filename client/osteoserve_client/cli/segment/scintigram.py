"""A whole-body bone scan: read, its regions found, written."""

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
    from osteoserve_client.scintigram import Scintigram
    from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb


def segment_scintigram(
    source: InputFiles,
    output: Path,
    *,
    times: Times,
    model: str,
    server: Server | None,
    series: str | None,
    view: str | None,
    brightness: float | None,
    retry: bool,
    trust_views: bool,
    as_json: bool,
) -> None:
    """Find the regions of a bone scan and say what was written; see ``osteoserve segment --help``.

    Raises:
        OsteoserveError: The scan is refused, the service failed, or an output was not written.
    """
    from osteoserve_client.reading import read_scintigram
    from osteoserve_client.service import scintigraphy_options
    from osteoserve_client.writing import check_scintigram, write_scintigram_outputs

    with progress_bars() as advance:
        scan = times.measured(
            "read",
            lambda: read_scintigram(
                source.path,
                view=view,
                series=series,
                on_progress=lambda done, total: advance("Reading", done, total),
            ),
        )
        check_scintigram(scan)
        options = scintigraphy_options(
            brightness=brightness,
            retry_brightness=None if retry else 0.0,
            views_confirmed=trust_views,
        )
        with service_client(server, model=model) as client:
            labels, regions, report = times.measured(
                "service",
                lambda: client.segment_scintigram(
                    scan, model=model, options=options, on_progress=shown(advance)
                ),
            )
    written = times.measured(
        "write", lambda: write_scintigram_outputs(scan, labels, regions, report, output)
    )
    if as_json:
        click.echo(json.dumps(_summary(scan, report, times, written), indent=2))
        return
    views = " and ".join(each.view for each in scan.views)
    tell(
        times.line(f"{views} view{'s' * (len(scan.views) > 1)}", report.stages),
        (*scan.warnings, *report.warnings, *finding_lines(report)),
        written,
        {".csv": f"{len(report.regions)} regions"},
    )


def finding_lines(report: pb.ScintigramReport) -> tuple[str, ...]:
    """What is missing or doubled, one line each."""
    from osteoserve_client.writing.scintigraphy.region_names import (
        kind_of,
        label_names,
        spoken,
        view_of,
    )

    names = label_names(report.model)
    return tuple(
        f"{view_of(finding)} view: {spoken(finding, names[finding.label])} {kind_of(finding)}"
        for finding in report.findings
    )


def _summary(
    scan: Scintigram, report: pb.ScintigramReport, times: Times, written: tuple[Path, ...]
) -> dict[str, Any]:
    names = {label.value: label.name for label in report.model.labels}
    return {
        "outputs": [str(path) for path in written],
        "stages_s": times.rounded(),
        "service_stages_s": {stage.stage: round(stage.seconds, 3) for stage in report.stages},
        "model": {"name": report.model.name, "version": report.model.version},
        "brightness": report.preprocessing.brightness,
        "regions": [
            {"name": names[region.label], "pixels": region.pixels, "score": region.score}
            for region in report.regions
        ],
        "findings": list(finding_lines(report)),
        "warnings": [*scan.warnings, *report.warnings],
    }

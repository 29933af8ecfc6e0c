"""A whole-body bone scan: read, its regions found, written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from osteoserve_client.reading import InputFiles, read_scintigram
from osteoserve_client.reading.files import Progress
from osteoserve_client.scintigram import Scintigram
from osteoserve_client.segmenting.options import Options
from osteoserve_client.segmenting.segmented import Segmented
from osteoserve_client.service import ServiceClient, scintigraphy_options
from osteoserve_client.service.answer import OnProgress
from osteoserve_client.writing import check_scintigram, write_scintigram_outputs
from osteoserve_client.writing.scintigraphy.region_names import (
    kind_of,
    label_names,
    spoken,
    view_of,
)
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class ReadScan:
    """A bone scan that can be segmented, and how it is to be.

    Args:
        scan: The scan.
        options: What was asked for.
    """

    modality: ClassVar = "NM"
    scan: Scintigram
    options: Options

    @property
    def model(self) -> str:
        """Which model will be asked."""
        return self.options.model_for(self.modality)

    def ask(self, client: ServiceClient, *, on_progress: OnProgress | None = None) -> AnsweredScan:
        """Have its regions found; errors as of `ServiceClient.segment_scintigram`."""
        options = scintigraphy_options(
            brightness=self.options.brightness,
            retry_brightness=None if self.options.retry else 0.0,
            views_confirmed=self.options.trust_views,
        )
        labels, regions, report = client.segment_scintigram(
            self.scan, model=self.model, options=options, on_progress=on_progress
        )
        return AnsweredScan(self.scan, labels, regions, report)


@dataclass(frozen=True, eq=False)
class AnsweredScan:
    """A bone scan with its regions.

    Args:
        scan: The scan.
        labels: (V, Y, X) uint8 on its views.
        regions: (V, Y, X) uint8, likewise: numbers of regions.
        report: The service's.
    """

    scan: Scintigram
    labels: Pixels
    regions: Pixels
    report: pb.ScintigramReport

    def write(self, out: Path) -> Segmented:
        """Write the outputs, all or none; errors as of `write_scintigram_outputs`."""
        paths = write_scintigram_outputs(self.scan, self.labels, self.regions, self.report, out)
        report, views = self.report, [each.view for each in self.scan.views]
        names = {label.value: label.name for label in report.model.labels}
        return Segmented(
            modality=ReadScan.modality,
            paths=paths,
            subject=f"{' and '.join(views)} view{'s' * (len(views) > 1)}",
            found=f"{len(report.regions)} regions",
            model=report.model,
            request_id=report.request_id,
            stages=tuple(report.stages),
            warnings=(*self.scan.warnings, *report.warnings),
            findings=finding_lines(report),
            summary={
                "brightness": report.preprocessing.brightness,
                "regions": [
                    {"name": names[region.label], "pixels": region.pixels, "score": region.score}
                    for region in report.regions
                ],
                "findings": list(finding_lines(report)),
            },
        )


def read_scan(
    files: InputFiles, options: Options, *, series: str | None, on_progress: Progress
) -> ReadScan:
    """Read a bone scan and see that its outputs can be written; errors as of `read_scintigram`."""
    scan = read_scintigram(files, view=options.view, series=series, on_progress=on_progress)
    check_scintigram(scan)
    return ReadScan(scan, options)


def finding_lines(report: pb.ScintigramReport) -> tuple[str, ...]:
    """What is missing or doubled, one line each."""
    names = label_names(report.model)
    return tuple(
        f"{view_of(finding)} view: {spoken(finding, names[finding.label])} {kind_of(finding)}"
        for finding in report.findings
    )

"""A CT study: read, segmented, written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from osteoserve_client.reading import InputFiles, read_study
from osteoserve_client.reading.files import Progress
from osteoserve_client.segmenting.options import Options
from osteoserve_client.segmenting.segmented import Segmented
from osteoserve_client.service import ServiceClient, preprocessing_options
from osteoserve_client.service.answer import OnProgress
from osteoserve_client.study import Study
from osteoserve_client.writing import check_study, write_outputs
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb


@dataclass(frozen=True, eq=False)
class ReadVolume:
    """A CT study that can be segmented, and how it is to be.

    Args:
        study: The study.
        options: What was asked for.
    """

    modality: ClassVar = "CT"
    study: Study
    options: Options

    @property
    def model(self) -> str:
        """Which model will be asked."""
        return self.options.model_for(self.modality)

    def ask(
        self, client: ServiceClient, *, on_progress: OnProgress | None = None
    ) -> AnsweredVolume:
        """Have it segmented; errors as of `ServiceClient.segment`."""
        options = preprocessing_options(
            stretcher=self.options.stretcher,
            normalisation=self.options.normalisation,
            clip_femur_to_head=self.options.clip,
        )
        labels, report = client.segment(
            self.study.volume, model=self.model, options=options, on_progress=on_progress
        )
        return AnsweredVolume(self.study, labels, report)


@dataclass(frozen=True, eq=False)
class AnsweredVolume:
    """A CT study with its labels.

    Args:
        study: The study.
        labels: (Z, Y, X) uint8 on its grid.
        report: The service's.
    """

    study: Study
    labels: npt.NDArray[np.uint8]
    report: pb.SegmentReport

    def write(self, out: Path) -> Segmented:
        """Write the outputs, all or none; errors as of `write_outputs`."""
        paths = write_outputs(self.study, self.labels, self.report, out)
        report = self.report
        return Segmented(
            modality=ReadVolume.modality,
            paths=paths,
            subject=f"{self.study.volume.geometry.shape[0]} slices",
            found="  ".join(f"{one.name} {one.millilitres:.0f} ml" for one in report.labels),
            model=report.model,
            request_id=report.request_id,
            stages=tuple(report.stages),
            warnings=(*self.study.warnings, *report.preprocessing.warnings),
            summary={
                "labels": [
                    {"name": one.name, "voxels": one.voxels, "millilitres": one.millilitres}
                    for one in report.labels
                ]
            },
        )


def read_volume(
    files: InputFiles, options: Options, *, series: str | None, on_progress: Progress
) -> ReadVolume:
    """Read a CT study and see that its outputs can be written; errors as of `read_study`."""
    study = read_study(
        files, series=series, resample_tilt=options.resample_tilt, on_progress=on_progress
    )
    check_study(study)
    return ReadVolume(study, options)

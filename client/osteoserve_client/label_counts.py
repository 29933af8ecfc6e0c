"""Labels against the report that speaks of them: the same, by their counts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from osteoserve_client.errors import ServiceError
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb


def check_counts(labels: npt.NDArray[np.uint8], report: pb.SegmentReport) -> None:
    """Refuse a label map that is not the one which was measured.

    Args:
        labels: (Z, Y, X) uint8.
        report: Of the service.

    Raises:
        ServiceError: A value that is no label of the model, or a label whose number of voxels is
            not the reported one.
    """
    values = [label.value for label in report.model.labels]
    # Slice by slice: a comparison of the whole map would take as much memory again.
    counts = {
        value: sum(int(np.count_nonzero(slice_ == value)) for slice_ in labels) for value in values
    }
    if sum(counts.values()) != np.count_nonzero(labels):
        raise ServiceError("the label map holds values that are no labels of the model")
    reported = {measure.value: measure.voxels for measure in report.labels}
    if counts != reported:
        raise ServiceError("the label map does not hold as many voxels as its report says")

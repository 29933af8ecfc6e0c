"""The tuned way: the plain script after its two slowest stages were replaced, and no server.

The network runs in ONNX Runtime (fp32, all cores, in process) instead of PyTorch, and table and
window come from the service's own preprocessing. Reading and writing stay the script's. Whole
slices, every slice: what else is left out is ours.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import onnxruntime
from pydicom import Dataset

from osteoserve_benchmarks.script import read, write
from osteoserve_benchmarks.way import Stages
from osteoserve_client.cli.segment.stages import Times
from osteoserve_preprocessing.core import PreprocessingOptions, preprocess
from osteoserve_preprocessing.geometry import Geometry, Volume

#: Slices in a run of the network.
BATCH: Final = 4


class Tuned:
    """The script, with the exported network loaded.

    Args:
        model: The ONNX file that the service serves.
    """

    def __init__(self, model: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = len(os.sched_getaffinity(0))
        self._network = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )

    def run(self, study: Path, out: Path) -> Stages:
        """See `Way.run`."""
        times = Times()
        datasets, hounsfield = times.measured("read", lambda: read(study))
        volume = Volume(hounsfield, _geometry(datasets, hounsfield.shape))
        options = PreprocessingOptions()
        grey = times.measured("preprocess", lambda: preprocess(volume, options).slices)
        mask = times.measured("network", lambda: self._segment(grey))
        times.measured("write", lambda: write(datasets, mask, out))
        return times

    def _segment(self, grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        mask = np.empty_like(grey)
        for first in range(0, len(grey), BATCH):
            part = slice(first, first + BATCH)
            mask[part] = self._network.run(["labels"], {"slices": grey[part]})[0]
        return mask


def _geometry(datasets: Sequence[Dataset], shape: tuple[int, ...]) -> Geometry:
    """The grid, of which the preprocessing needs sizes and spacing."""
    row_mm, column_mm = map(float, datasets[0].PixelSpacing)
    heights = [float(dataset.ImagePositionPatient[2]) for dataset in (datasets[0], datasets[-1])]
    slice_mm = (heights[1] - heights[0]) / (len(datasets) - 1)
    slices, rows, columns = shape
    return Geometry((slices, rows, columns), (slice_mm, row_mm, column_mm))

"""Reading and writing as a script does them: pydicom in a loop, highdicom, nibabel.

The plain and the tuned way share these; neither knows of the other's network.
"""

# nibabel's methods carry no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt
from highdicom import AlgorithmIdentificationSequence
from highdicom.seg import (
    SegmentAlgorithmTypeValues,
    Segmentation,
    SegmentationTypeValues,
    SegmentDescription,
)
from pydicom import Dataset, dcmread
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

from osteoserve_benchmarks.way import LABEL_MAP, SEGMENTATION


def read(study: Path) -> tuple[list[Dataset], npt.NDArray[np.int16]]:
    """Read the axial slices of a supine, head-first patient, sorted from feet to head.

    Returns:
        The datasets, and (Z, Y, X) int16 HU.
    """
    datasets: list[Dataset] = [dcmread(path) for path in study.iterdir()]
    datasets.sort(key=lambda dataset: float(dataset.ImagePositionPatient[2]))
    slices = [
        (ds.pixel_array * float(ds.RescaleSlope) + float(ds.RescaleIntercept)).astype(np.int16)
        for ds in datasets
    ]
    return datasets, np.stack(slices)


def write(datasets: list[Dataset], mask: npt.NDArray[np.uint8], out: Path) -> None:
    """Write the mask as DICOM SEG and NIfTI.

    Args:
        datasets: The slices, from feet to head.
        mask: (Z, Y, X) uint8, 0 or 1.
        out: Folder that exists.
    """
    nibabel.save(nibabel.Nifti1Image(mask.T, _affine(datasets)), out / LABEL_MAP)
    _segmentation(datasets, mask).save_as(out / SEGMENTATION)


def _affine(datasets: list[Dataset]) -> npt.NDArray[np.float64]:
    """4x4 from (i, j, k, 1) to (x, y, z, 1) in NIfTI's RAS frame, mm."""
    first, last = (np.array(ds.ImagePositionPatient, float) for ds in (datasets[0], datasets[-1]))
    row_mm, column_mm = map(float, datasets[0].PixelSpacing)
    axes = np.array(datasets[0].ImageOrientationPatient, float)
    affine = np.eye(4)
    affine[:3, 0] = axes[:3] * column_mm
    affine[:3, 1] = axes[3:] * row_mm
    affine[:3, 2] = (last - first) / (len(datasets) - 1)
    affine[:3, 3] = first
    ras: npt.NDArray[np.float64] = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    return ras


def _segmentation(datasets: list[Dataset], mask: npt.NDArray[np.uint8]) -> Any:
    algorithm = AlgorithmIdentificationSequence(
        "U-Net", family=codes.DCM.ArtificialIntelligence, version="1"
    )
    skeleton = SegmentDescription(
        segment_number=1,
        segment_label="skeleton",
        segmented_property_category=codes.SCT.AnatomicalStructure,
        segmented_property_type=codes.SCT.Bone,
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=algorithm,
    )
    return Segmentation(
        source_images=datasets,
        pixel_array=mask,
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[skeleton],
        series_instance_uid=generate_uid(),
        series_number=1001,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="Osteoserve",
        manufacturer_model_name="plain script",
        software_versions=version("osteoserve"),
        device_serial_number="1",
    )

"""The label map as NIfTI, on exactly the grid of the source."""

# nibabel's methods carry no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from nibabel.nifti1 import Nifti1Extensions, Nifti1Image

from osteoserve_client.study import Study
from osteoserve_preprocessing.geometry import Geometry

#: NIfTI's x grows to the right and y to the front, DICOM's to the left and to the back.
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])

#: NIFTI_XFORM_SCANNER_ANAT: coordinates are those of the scanner.
SCANNER = 1


def ras_affine(geometry: Geometry) -> npt.NDArray[np.float64]:
    """4x4 matrix from (i, j, k, 1) to (x, y, z, 1) in NIfTI's RAS frame, mm."""
    return np.asarray(LPS_TO_RAS @ geometry.affine)


def label_map_image(study: Study, labels: npt.NDArray[np.uint8]) -> Nifti1Image:
    """The labels as a NIfTI image.

    A NIfTI source's own header carries over, so shape, axis order, affine, sform and qform are
    the source's bit for bit. For every other source, sform and qform both hold the geometry.

    Args:
        study: What was segmented.
        labels: (Z, Y, X) uint8, on the study's grid.

    Returns:
        An image of uint8 with axes (X, Y, Z), intent code "label".
    """
    array = labels.T
    if study.image is None:
        image = _placed(array, study.volume.geometry)
    else:
        header = study.image.copy()
        # A source may state its volume with trailing axes of length 1.
        array = array.reshape(header.get_data_shape(), order="F")
        header.extensions = Nifti1Extensions()
        image = Nifti1Image(array, None, header=header)
    _describe(image)
    return image


def _placed(array: npt.NDArray[np.uint8], geometry: Geometry) -> Nifti1Image:
    affine = ras_affine(geometry)
    image = Nifti1Image(array, affine)
    image.set_sform(affine, code=SCANNER)
    # A direction may be off orthonormal by what DICOM's few decimals lose; a quaternion cannot.
    image.set_qform(affine, code=SCANNER, strip_shears=True)
    image.header.set_xyzt_units("mm")
    return image


def _describe(image: Nifti1Image) -> None:
    image.set_data_dtype(np.uint8)
    image.header.set_intent("label")
    image.header["descrip"] = b"Osteoserve label map"
    # Grey levels for display, which the source states for HU.
    image.header["cal_min"] = 0
    image.header["cal_max"] = 0


def write_label_map(path: Path, study: Study, labels: npt.NDArray[np.uint8]) -> None:
    """Write ``skeleton.nii.gz``; see `label_map_image`. Gzip at its fastest level.

    Raises:
        OSError: The file could not be written.
    """
    label_map_image(study, labels).to_filename(path)

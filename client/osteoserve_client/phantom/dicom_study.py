"""Writes a phantom as a DICOM study: one CT Image Storage instance per slice.

PS3.3 A.3 (CT Image IOD).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage

from osteoserve_client.phantom.ct import PhantomCT
from osteoserve_client.phantom.dicom_header import (
    new_file,
    new_folder,
    phantom_uid,
    synthetic_header,
)

#: Rescale intercept: stored value 0 is -1024 HU, as most scanners write it.
INTERCEPT_HU = -1024
#: Patient positions (PS3.3 C.7.3.1.1.2): head or feet first, supine or prone.
PATIENT_POSITIONS = ("HFS", "FFS", "HFP", "FFP")


def write_dicom_study(
    phantom: PhantomCT, folder: Path, *, patient_position: str | None = None
) -> tuple[Path, ...]:
    """Write one file per slice.

    Supine slices are stored with rows to the patient's left and columns to the back. Prone ones
    are stored as the scanner sees them, turned by 180 degrees, and say so in Image Orientation
    (Patient). Head first, instance 1 is the slice nearest the head; feet first, the feet.

    Args:
        phantom: The phantom.
        folder: Where; made if absent, must be empty.
        patient_position: One of `PATIENT_POSITIONS`; None takes head first and the side that
            the phantom lies on.

    Returns:
        The files in order of instance number.

    Raises:
        ValueError: An unknown position, or one for the other side than the phantom lies on.
        FileExistsError: The folder holds something already.
    """
    position = _position(phantom, patient_position)
    new_folder(folder)
    shared = _shared_attributes(phantom, position)
    slices = phantom.volume.geometry.shape[0]
    order = range(slices) if position.startswith("FF") else range(slices - 1, -1, -1)
    return tuple(
        _write_slice(phantom, shared, k, number, folder) for number, k in enumerate(order, start=1)
    )


def _position(phantom: PhantomCT, asked: str | None) -> str:
    side = "P" if phantom.parameters.prone else "S"
    position = "HF" + side if asked is None else asked
    if position not in PATIENT_POSITIONS:
        raise ValueError(f"{position!r} is none of {', '.join(PATIENT_POSITIONS)}")
    if position[2] != side:
        lies = "prone" if side == "P" else "supine"
        raise ValueError(f"patient position {position} contradicts the phantom, which lies {lies}")
    return position


def _shared_attributes(phantom: PhantomCT, position: str) -> Dataset:
    """Everything that is the same in every slice."""
    digest = _digest(phantom, position)
    ds = synthetic_header(digest, modality="CT", description="Synthetic CT")
    ds.PatientPosition = position
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.KVP = 120
    _pixel_description(ds, phantom, position)
    return ds


def _pixel_description(ds: Dataset, phantom: PhantomCT, position: str) -> None:
    geometry = phantom.volume.geometry
    z, y, x = geometry.spacing
    turn = -1 if position.endswith("P") else 1
    axes = np.concatenate([geometry.direction[:, 0], geometry.direction[:, 1]]) * turn
    ds.ImageOrientationPatient = [_decimal(c) for c in axes]
    ds.PixelSpacing = [_decimal(y), _decimal(x)]
    ds.SliceThickness = _decimal(z)
    ds.SpacingBetweenSlices = _decimal(z)
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows, ds.Columns = geometry.shape[1:]
    # Signed, since padding outside the field of view may lie below the intercept.
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = str(INTERCEPT_HU), "1", "HU"
    ds.WindowCenter, ds.WindowWidth = "150", "300"
    if phantom.parameters.padding_hu is not None:
        ds.PixelPaddingValue = phantom.parameters.padding_hu - INTERCEPT_HU


def _write_slice(phantom: PhantomCT, shared: Dataset, k: int, number: int, folder: Path) -> Path:
    prone = phantom.parameters.prone
    voxels = phantom.volume.voxels[k]
    rows, columns = voxels.shape
    corner = (columns - 1, rows - 1, k, 1) if prone else (0, 0, k, 1)
    where = phantom.volume.geometry.affine @ np.array(corner, dtype=np.float64)
    uid = phantom_uid(str(shared.SeriesInstanceUID), str(number))
    path = folder / f"CT{number:04d}.dcm"
    ds = new_file(path, CTImageStorage, uid)
    ds.update(shared)
    ds.InstanceNumber = number
    ds.ImagePositionPatient = [_decimal(c) for c in where[:3]]
    ds.SliceLocation = _decimal(where[2])
    ds.PixelData = _stored(voxels[::-1, ::-1] if prone else voxels)
    ds["PixelData"].VR = "OW"
    ds.save_as(path, enforce_file_format=True)
    return path


def _stored(voxels: npt.NDArray[np.int16]) -> bytes:
    values = voxels.astype(np.int32) - INTERCEPT_HU
    if values.min() < -(2**15) or values.max() > 2**15 - 1:
        raise ValueError("the phantom holds values that 16 bits with this intercept cannot")
    return values.astype("<i2").tobytes()


def _digest(phantom: PhantomCT, position: str) -> str:
    digest = hashlib.sha256(np.ascontiguousarray(phantom.volume.voxels).data)
    digest.update(phantom.volume.geometry.affine.tobytes())
    digest.update(position.encode())
    return digest.hexdigest()


def _decimal(value: float) -> str:
    """A decimal string of at most 16 characters (PS3.5 6.2, DS)."""
    text = f"{value:.8f}".rstrip("0").rstrip(".")
    return text if len(text) <= 16 else f"{value:.9g}"

"""Writes a scintigraphy phantom as a DICOM study: NM images with one frame for each view.

PS3.3 A.5 (Nuclear Medicine Image IOD), with Image Type WHOLE BODY. Which view a frame is stands
in its detector's View Code Sequence, to which the Detector Vector points.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import NuclearMedicineImageStorage

from osteoserve_client.phantom.dicom_header import (
    new_file,
    new_folder,
    phantom_uid,
    synthetic_header,
)
from osteoserve_client.phantom.scintigraphy.camera import VIEWS
from osteoserve_client.phantom.scintigraphy.scan import PhantomScintigraphy

#: Views by PS3.16 CID 26.
VIEW_CODES = {
    "anterior": ("399321004", "Anterior projection"),
    "posterior": ("399001007", "Posterior projection"),
}
#: Along the rows and down the columns, LPS: each detector faces the patient, whose head is up.
ORIENTATIONS = {"anterior": [1, 0, 0, 0, 0, -1], "posterior": [-1, 0, 0, 0, 0, -1]}
_SPEED_MM_PER_S = 2.5


def write_scintigraphy_study(
    phantom: PhantomScintigraphy,
    folder: Path,
    *,
    views: Sequence[str] = VIEWS,
    separate: bool = False,
) -> tuple[Path, ...]:
    """Write one NM image with a frame for each view, or one image for each view.

    Args:
        phantom: The phantom.
        folder: Where; made if absent, must be empty.
        views: Which views, in the order of the frames or files.
        separate: One file for each view, as some cameras write them.

    Returns:
        The files.

    Raises:
        ValueError: Unknown or repeated views, or none.
        FileExistsError: The folder holds something already.
    """
    if not views or len(set(views)) < len(views) or not set(views) <= set(VIEWS):
        raise ValueError(f"views must be some of {', '.join(VIEWS)}, not {', '.join(views)!r}")
    new_folder(folder)
    groups = [(view,) for view in views] if separate else [tuple(views)]
    digest = _digest(phantom)
    return tuple(
        _write_image(phantom, digest, frames, number, folder)
        for number, frames in enumerate(groups, start=1)
    )


def _write_image(
    phantom: PhantomScintigraphy, digest: str, views: tuple[str, ...], number: int, folder: Path
) -> Path:
    path = folder / f"NM{number:04d}.dcm"
    uid = phantom_uid(digest, f"image {number} of {','.join(views)}")
    ds = new_file(path, NuclearMedicineImageStorage, uid)
    ds.update(synthetic_header(digest, modality="NM", description="Synthetic whole-body bone scan"))
    ds.InstanceNumber = number
    _position(ds)
    _acquisition(ds, phantom)
    _isotope(ds)
    _detectors(ds, views)
    _frames(ds, phantom, views)
    ds.save_as(path, enforce_file_format=True)
    return path


def _position(ds: Dataset) -> None:
    # Patient Position would contradict these (PS3.3 C.7.3.1): NM states the patient by codes.
    lying = _code("102538003", "recumbent")
    lying.PatientOrientationModifierCodeSequence = [_code("40199007", "supine")]
    ds.PatientOrientationCodeSequence = [lying]
    ds.PatientGantryRelationshipCodeSequence = [_code("102540008", "headfirst")]


def _acquisition(ds: Dataset, phantom: PhantomScintigraphy) -> None:
    length = phantom.parameters.scan_length_mm
    ds.ImageType = ["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"]
    # The frames show the patient from two sides: no one orientation holds for both.
    ds.PatientOrientation = ""
    ds.WholeBodyTechnique = "1PS"
    ds.ScanVelocity = f"{_SPEED_MM_PER_S:g}"
    ds.ScanLength = round(length)
    ds.ActualFrameDuration = round(1000 * length / _SPEED_MM_PER_S)
    ds.AcquisitionTerminationCondition = "MANU"
    ds.CorrectedImage = ["NRGY", "LIN"]


def _isotope(ds: Dataset) -> None:
    window, limits = Dataset(), Dataset()
    # 20 % about 140 keV (Yu 2023, section 2.1).
    limits.EnergyWindowLowerLimit, limits.EnergyWindowUpperLimit = "126", "154"
    window.EnergyWindowRangeSequence = [limits]
    window.EnergyWindowName = "Tc99m"
    ds.EnergyWindowInformationSequence = [window]
    tracer = Dataset()
    tracer.RadionuclideCodeSequence = [_code("72454006", "^99m^Technetium")]
    tracer.Radiopharmaceutical = "Tc-99m MDP"
    ds.RadiopharmaceuticalInformationSequence = [tracer]


def _detectors(ds: Dataset, views: tuple[str, ...]) -> None:
    ds.FrameIncrementPointer = [Tag(0x0054, 0x0010), Tag(0x0054, 0x0020)]
    ds.EnergyWindowVector, ds.NumberOfEnergyWindows = [1] * len(views), 1
    ds.DetectorVector = list(range(1, len(views) + 1))
    ds.NumberOfDetectors = len(views)
    ds.DetectorInformationSequence = []
    for view in views:
        detector = Dataset()
        detector.CollimatorType = "PARA"
        detector.CollimatorGridName = "LEHR"
        detector.FieldOfViewShape = "RECTANGLE"
        detector.FocalDistance = 0
        detector.ImagePositionPatient = None
        detector.ImageOrientationPatient = ORIENTATIONS[view]
        detector.ViewCodeSequence = [_code(*VIEW_CODES[view])]
        ds.DetectorInformationSequence.append(detector)


def _frames(ds: Dataset, phantom: PhantomScintigraphy, views: tuple[str, ...]) -> None:
    frames = np.stack([phantom.counts[view] for view in views])
    spacing = f"{phantom.pixel_spacing_mm:.6g}"
    ds.PixelSpacing = [spacing, spacing]
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.NumberOfFrames, ds.Rows, ds.Columns = frames.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.CountsAccumulated = int(frames.sum(dtype=np.int64))
    top = max(2, round(float(np.percentile(frames[frames > 0], 99.5))))
    ds.WindowCenter, ds.WindowWidth = f"{top / 2:g}", str(top)
    ds.PixelData = frames.astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return item


def _digest(phantom: PhantomScintigraphy) -> str:
    digest = hashlib.sha256(f"{phantom.pixel_spacing_mm!r}".encode())
    for view in VIEWS:
        digest.update(np.ascontiguousarray(phantom.counts[view]).data)
    return digest.hexdigest()

"""Reading the views of a whole-body bone scan for training and trials."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.errors import InvalidDicomError

from osteoserve_export.errors import PairError

Counts = npt.NDArray[np.uint16]

#: Views by PS3.16 CID 26, SNOMED CT, and what a frame's detector says of itself.
VIEW_CODES: Final[Mapping[str, str]] = {"399321004": "anterior", "399001007": "posterior"}


def read_views(path: Path) -> dict[str, Counts]:
    """Read the views of a whole-body NM image.

    Args:
        path: DICOM file, or a folder of them that hold one view or two between them.

    Returns:
        (Y, X) uint16 counts of "anterior", "posterior", or both.

    Raises:
        PairError: There is no whole-body NM image, a frame does not say which view it is, or a view
            is there twice.
    """
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    views: dict[str, Counts] = {}
    for file in files:
        for view, counts in _frames(file):
            if view in views:
                raise PairError(f"{file}: the {view} view is there twice")
            views[view] = counts
    if not views:
        raise PairError(f"no bone scan at {path}")
    return views


def _frames(file: Path) -> list[tuple[str, Counts]]:
    try:
        dataset = pydicom.dcmread(file)
    except (InvalidDicomError, OSError) as error:
        raise PairError(f"{file} is no DICOM file that can be read") from error
    if dataset.get("Modality") != "NM" or "WHOLE BODY" not in dataset.get("ImageType", ()):
        raise PairError(f"{file} is no whole-body NM image")
    pixels = dataset.pixel_array
    frames = pixels[None] if pixels.ndim == 2 else pixels
    detectors = np.atleast_1d(dataset.get("DetectorVector", ()))
    if len(detectors) != len(frames):
        raise PairError(f"{file}: Detector Vector does not have one entry for each frame")
    return [
        (_view(dataset, int(detector), file), frame.astype(np.uint16))
        for detector, frame in zip(detectors, frames, strict=True)
    ]


def _view(dataset: pydicom.Dataset, detector: int, file: Path) -> str:
    """The view of a detector, counted from 1 (PS3.3 C.8.4.11)."""
    for information in list(dataset.get("DetectorInformationSequence", ()))[
        detector - 1 : detector
    ]:
        for code in information.get("ViewCodeSequence", ()):
            if code.CodeValue in VIEW_CODES:
                return VIEW_CODES[code.CodeValue]
    raise PairError(f"{file}: detector {detector} does not say that it is anterior or posterior")

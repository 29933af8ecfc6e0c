"""Reads the masks that say what is a metastasis, in any of their forms, onto the scan's views."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from osteoserve_client.bone_scan_index.hot_spot_images import read_nifti, read_png
from osteoserve_client.bone_scan_index.hot_spot_objects import read_segmentation
from osteoserve_client.bone_scan_index.planes import Placed, place_planes
from osteoserve_client.errors import InputNotFoundError, UsageError
from osteoserve_client.reading.files import display_name
from osteoserve_client.scintigram import VIEWS, Scintigram, View

Mask = npt.NDArray[np.bool_]
Form = Literal["dicom_seg", "nifti", "png"]

NO_HOT_SPOTS: Final = (
    "a segmentation alone is no Bone Scan Index: it takes the hot spots that a physician, or "
    "another model, calls metastases; give them with --hotspots MASK (DICOM SEG, NIfTI or PNG)"
)


@dataclass(frozen=True)
class MaskFile:
    """One file of hot spots.

    Args:
        form: What kind of file.
        sha256: Of its bytes: names of files may name a patient.
        views: Which views it speaks of.
        segments: Of a segmentation object, those that were united.
    """

    form: Form
    sha256: str
    views: tuple[View, ...]
    segments: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class HotSpots:
    """Hot spots of a scan.

    Args:
        masks: (Y, X) bool on the grid of each view that some file speaks of.
        files: Where they come from.
    """

    masks: Mapping[View, Mask]
    files: tuple[MaskFile, ...]


def read_hot_spots(
    given: Sequence[str], scan: Scintigram, *, segments: Sequence[int] = ()
) -> HotSpots:
    """Read masks of hot spots; several for one view are united.

    Args:
        given: Paths (``.png``, ``.nii``, ``.nii.gz``, else DICOM), each with ``anterior=`` or
            ``posterior=`` before it where the file does not say so itself.
        scan: Whose hot spots they are.
        segments: Which segments of segmentation objects; all where none is named.

    Raises:
        UsageError: None is given, a file does not exist, or its view is not said.
        InputError: A mask cannot be read, or does not belong to the scan.
    """
    if not given:
        raise UsageError(NO_HOT_SPOTS)
    masks: dict[View, Mask] = {}
    files = []
    for text in given:
        found, file = _read(text, scan, segments)
        for view, mask in found.items():
            masks[view] = masks[view] | mask if view in masks else mask
        files.append(file)
    return HotSpots({view: masks[view] for view in VIEWS if view in masks}, tuple(files))


def _read(
    text: str, scan: Scintigram, segments: Sequence[int]
) -> tuple[dict[View, Mask], MaskFile]:
    view, path = _view_and_path(text)
    name = display_name(path, path)
    if not path.is_file():
        raise InputNotFoundError(f"there is no file {name}")
    form = _form(path)
    if form != "dicom_seg" and segments:
        raise UsageError(f"{name}: has no segments to choose from")
    used: tuple[int, ...] = ()
    if form == "png":
        placed: Iterable[Placed] = place_planes(scan, read_png(path, name), view, name)
    elif form == "nifti":
        placed = place_planes(scan, read_nifti(path, name), view, name)
    elif view is not None:
        raise UsageError(f"{name}: says itself which view it is of; leave out '{view}='")
    else:
        read = read_segmentation(path, name, scan, segments=segments)
        placed, used = read.masks, read.segments
    masks: dict[View, Mask] = {}
    for at, mask in placed:
        masks[at] = masks[at] | mask if at in masks else mask
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return masks, MaskFile(form, digest, tuple(masks), used)


def _view_and_path(text: str) -> tuple[View | None, Path]:
    start, equals, rest = text.partition("=")
    if equals and start in VIEWS:
        return start, Path(rest)
    return None, Path(text)


def _form(path: Path) -> Form:
    name = path.name.lower()
    if name.endswith(".png"):
        return "png"
    return "nifti" if name.endswith((".nii", ".nii.gz")) else "dicom_seg"

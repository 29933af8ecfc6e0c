"""Bone scans and their true regions, instance by instance."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from osteoserve_export.errors import PairError
from osteoserve_export.training.scintigraphy.views import Counts, read_views

#: Names in the order of Yu 2023's tables; a region's label is its place, counted from 1.
REGIONS: Final = (
    "skull",
    "spine",
    "chest",
    "anterior_right_humerus",
    "anterior_left_humerus",
    "posterior_right_humerus",
    "posterior_left_humerus",
    "pelvis",
    "femurs",
    "kidney",
)

VIEWS: Final = ("anterior", "posterior")
INDEX: Final = "regions.json"


@dataclass(frozen=True, eq=False)
class ScintigraphyPair:
    """A bone scan and its regions.

    Args:
        name: How messages call it; no patient data.
        counts: For "anterior" and "posterior" (Y, X) uint16.
        instances: For each view (Y, X) uint8, 0 background, else which instance the pixel is of.
        labels: For each view the label of instance 1, 2 and so on.
    """

    name: str
    counts: Mapping[str, Counts]
    instances: Mapping[str, npt.NDArray[np.uint8]]
    labels: Mapping[str, tuple[int, ...]]


def find_scintigraphy_pairs(folder: Path) -> tuple[ScintigraphyPair, ...]:
    """Read every study of a folder.

    Args:
        folder: Each subfolder is a study as ``osteoserve phantom scintigraphy --labels`` writes it:
            ``dicom/`` with both views, and ``labels/`` with ``regions.json``, which names one image
            for each region and one label map for each view.

    Returns:
        The pairs, ordered by name.

    Raises:
        PairError: There is none, or one cannot be used.
    """
    studies = sorted(path for path in folder.iterdir() if path.is_dir())
    if not studies:
        raise PairError(f"{folder} holds no study folders")
    return tuple(read_scintigraphy_pair(study) for study in studies)


def read_scintigraphy_pair(study: Path) -> ScintigraphyPair:
    """Read one study; see `find_scintigraphy_pairs`.

    Raises:
        PairError: A view or a region is missing, or the grids differ.
    """
    counts = read_views(study / "dicom")
    if set(counts) != set(VIEWS):
        raise PairError(f"{study}: both views are needed, not {', '.join(counts)} alone")
    index = _index(study / "labels" / INDEX)
    instances, labels = {}, {}
    for view in VIEWS:
        regions = [region for region in index["regions"] if region["view"] == view]
        shown = _image(study / "labels" / index["views"][view]["labels"], counts[view])
        instances[view], labels[view] = _instances(study, regions, shown, counts[view])
    return ScintigraphyPair(study.name, counts, instances, labels)


def _instances(
    study: Path, regions: list[dict[str, Any]], shown: npt.NDArray[np.uint8], counts: Counts
) -> tuple[npt.NDArray[np.uint8], tuple[int, ...]]:
    """The part of each region that the label map gives to it."""
    instances, labels = np.zeros_like(shown), []
    for number, region in enumerate(regions, start=1):
        label = int(region["label"])
        if not 1 <= label <= len(REGIONS) or region["name"] != REGIONS[label - 1]:
            raise PairError(f"{study}: label {label} is not called {region['name']} here")
        whole = _image(study / "labels" / region["file"], counts) > 0
        instances[whole & (shown == label)] = number
        labels.append(label)
    return instances, tuple(labels)


def _index(path: Path) -> dict[str, Any]:
    try:
        index: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PairError(f"{path} is no index of regions") from error
    if not {"regions", "views"} <= set(index) or not set(VIEWS) <= set(index["views"]):
        raise PairError(f"{path} lacks regions or views")
    return index


def _image(path: Path, counts: Counts) -> npt.NDArray[np.uint8]:
    try:
        with Image.open(path) as image:
            values = np.asarray(image, dtype=np.uint8)
    except OSError as error:
        raise PairError(f"{path} is no image that can be read") from error
    if values.shape != counts.shape:
        raise PairError(f"{path} has another shape than its view: {values.shape}, {counts.shape}")
    return values

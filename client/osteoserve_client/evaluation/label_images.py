"""Reads label maps of a bone scan: PNG images of 8 bits, one for each view."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from osteoserve_client.errors import LabelMapError, UnreadableFileError
from osteoserve_client.evaluation.label_maps import NAMELESS, Labels, LabelViews, Names
from osteoserve_client.reading.discretion import refusing
from osteoserve_client.reading.limits import check_size
from osteoserve_client.scintigram import VIEWS
from osteoserve_client.writing.output_names import LABEL_IMAGES

#: The index that ``osteoserve phantom scintigraphy --labels`` writes.
INDEX: Final = "regions.json"


def read_label_images(folder: Path, name: str, names: Names = NAMELESS) -> LabelViews:
    """Read ``labels_anterior.png`` and ``labels_posterior.png``, or one of them.

    Args:
        folder: Where they lie.
        name: How messages call the folder.
        names: What their values mean, where that is known.

    Raises:
        LabelMapError: An image is in colour, or not of 8 bits.
        UnreadableFileError: An image is damaged.
    """
    found = {view: folder / file for view, file in LABEL_IMAGES.items()}
    views = {
        view: _read(path, f"{name}/{path.name}") for view, path in found.items() if path.is_file()
    }
    return LabelViews(views, names=names)


def read_label_index(path: Path, name: str) -> LabelViews:
    """Read the label maps that ``regions.json`` names, with what their values mean.

    The label maps are those without overlaps: one region for each pixel.

    Args:
        path: The index.
        name: How messages call it.

    Raises:
        LabelMapError: An image is in colour, or not of 8 bits.
        UnreadableFileError: The index or an image is damaged or absent.
    """
    with refusing(UnreadableFileError, f"{name}: is no index of regions"):
        index: Any = json.loads(path.read_text(encoding="utf-8"))
        names = {int(value): str(label) for value, label in index["names"].items()}
        files = {
            view: str(index["views"][view]["labels"]) for view in VIEWS if view in index["views"]
        }
        rows, columns = _spacing(index["pixel_spacing_mm"])
    for file in files.values():
        if Path(file).name != file:
            raise UnreadableFileError(f"{name}: names an image outside its own folder")
    views: dict[str, Labels] = {
        view: _read(path.parent / file, file) for view, file in files.items()
    }
    return LabelViews(views, (rows, columns), names)


def _spacing(stated: Any) -> tuple[float, float]:
    rows, columns = stated if isinstance(stated, list) else (stated, stated)
    return float(rows), float(columns)


def _read(path: Path, name: str) -> Labels:
    unreadable = f"{name}: is no PNG image that can be read"
    with refusing(UnreadableFileError, unreadable), Image.open(path, formats=("PNG",)) as image:
        check_size(image.size, name)
        mode, pixels = image.mode, np.array(image)
    if mode not in ("L", "P", "1"):
        raise LabelMapError(f"{name}: is no label map: its pixels are not of 8 bits, or in colour")
    return pixels.astype(np.uint8)

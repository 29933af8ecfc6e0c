"""Writes the phantom's true regions as PNG images, with an index in JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from osteoserve_client.phantom.scintigraphy.camera import VIEWS
from osteoserve_client.phantom.scintigraphy.regions import REGIONS, Region
from osteoserve_client.phantom.scintigraphy.scan import PhantomScintigraphy

INDEX = "regions.json"


def write_labels(phantom: PhantomScintigraphy, folder: Path) -> Path:
    """Write one image (0 or 255) for each region and view, the label maps, and the hot spots.

    Regions overlap in projection, so each has an image of its own; ``<view>_labels.png`` holds
    the labels 0 to 10 without overlaps, ``<view>_hot_spots.png`` the metastases. All images have
    the phantom's grid. ``regions.json`` names them.

    Args:
        phantom: The phantom.
        folder: Where; made if absent, must be empty.

    Returns:
        The index.

    Raises:
        FileExistsError: The folder holds something already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty: labels need a folder of their own")
    entries = []
    for region in phantom.regions:
        name = _file_name(region)
        _write(region.mask, folder / name)
        entries.append(_entry(region, name))
    views: dict[str, dict[str, str]] = {}
    for view in VIEWS:
        files = {"labels": f"{view}_labels.png", "hot_spots": f"{view}_hot_spots.png"}
        Image.fromarray(phantom.labels[view]).save(folder / files["labels"])
        _write(phantom.hot_spots[view], folder / files["hot_spots"])
        views[view] = files
    index = {
        "pixel_spacing_mm": phantom.pixel_spacing_mm,
        "names": {str(n): name for n, name in enumerate(REGIONS, start=1)},
        "views": views,
        "regions": entries,
    }
    path = folder / INDEX
    path.write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    return path


def _file_name(region: Region) -> str:
    if region.name.startswith(region.view):
        return f"{region.name}.png"
    return "_".join(part for part in (region.view, region.side, region.name) if part) + ".png"


def _entry(region: Region, name: str) -> dict[str, Any]:
    return {
        "file": name,
        "name": region.name,
        "label": region.label,
        "view": region.view,
        "side": region.side,
        "pixels": int(region.mask.sum()),
    }


def _write(mask: npt.NDArray[np.bool_], path: Path) -> None:
    Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)).save(path)

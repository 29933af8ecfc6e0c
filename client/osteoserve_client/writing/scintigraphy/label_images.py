"""Label maps of the views as images that a program reads and a person sees in colour."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from osteoserve_client.scintigram import PlanarView
from osteoserve_client.writing.colours import Colour


def write_label_image(
    path: Path, view: PlanarView, values: npt.NDArray[np.uint8], colours: Mapping[int, Colour]
) -> None:
    """Write values as a palette PNG, 8 bits, 0 black, on the stored grid.

    Args:
        path: Where.
        view: Whose values they are; of a frame that holds two views the image has its columns.
        values: (Y, X) uint8, on the view: labels, or numbers of regions.
        colours: RGB of every value but 0.

    Raises:
        OSError: The file could not be written.
    """
    palette = np.zeros((256, 3), dtype=np.uint8)
    for value, colour in colours.items():
        palette[value] = colour
    image = Image.fromarray(np.ascontiguousarray(view.as_stored(values)))
    # Not convert("P"), which would choose other values.
    image.putpalette(palette.tobytes())
    image.save(path, format="PNG", bits=8)

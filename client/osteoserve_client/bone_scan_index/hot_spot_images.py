"""Reads hot spots from images that know nothing of the scan: PNG and NIfTI."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import numpy.typing as npt
from nibabel.nifti1 import Nifti1Image
from PIL import Image

from osteoserve_client.errors import HotSpotsError, UnreadableFileError
from osteoserve_client.reading.discretion import refusing, silenced_libraries
from osteoserve_client.reading.limits import MAX_PIXELS, check_size

Mask = npt.NDArray[np.bool_]

#: Pillow's names of one grey value for each pixel.
_GREY_MODES = ("1", "L", "I;16", "I;16B", "I")


def read_png(path: Path, name: str) -> list[Mask]:
    """One plane: what is not 0 is hot.

    A palette image is taken where its entry 0 is black, as in a label map; another palette may
    call any number the background.

    Returns:
        One (rows, columns) bool.

    Raises:
        HotSpotsError: It is in colour, or has transparency.
        UnreadableFileError: It is damaged.
    """
    with (
        refusing(UnreadableFileError, f"{name}: is no PNG image that can be read"),
        Image.open(path, formats=("PNG",)) as image,
    ):
        check_size((image.height, image.width), name, most=MAX_PIXELS)
        mode, pixels = image.mode, np.array(image)
        black = mode == "P" and (image.getpalette() or [1])[:3] == [0, 0, 0]
    if mode not in _GREY_MODES and not black:
        raise HotSpotsError(
            f"{name}: is in colour; a mask has one grey value a pixel, 0 where nothing is hot"
        )
    return [pixels != 0]


def read_nifti(path: Path, name: str) -> list[Mask]:
    """One plane for each slice: what is not 0 is hot.

    The first axis runs along the columns of the stored frame, the second along its rows, the third
    from view to view; the affine is not heeded, for a planar view has no place in the patient.

    Returns:
        (rows, columns) bool of each slice.

    Raises:
        HotSpotsError: It has other axes, colours, or values that are no numbers.
        UnreadableFileError: It is damaged.
    """
    with (
        silenced_libraries(),
        refusing(UnreadableFileError, f"{name}: cannot be read as NIfTI: it is damaged"),
    ):
        image = nibabel.load(path)
        if not isinstance(image, Nifti1Image):  # and so is NIfTI-2
            raise UnreadableFileError(f"{name}: is no NIfTI file")
        shape = tuple(image.shape)
        check_size(shape, name, most=MAX_PIXELS)
        values = np.asanyarray(image.dataobj)
        if values.dtype.kind not in "iufb":
            raise HotSpotsError(f"{name}: its values are no numbers (colours, or complex)")
    if len(shape) < 2 or any(size > 1 for size in shape[3:]):
        shown = "x".join(str(size) for size in shape)
        raise HotSpotsError(f"{name}: is {shown}: a mask has columns, rows, and slices")
    if not np.isfinite(values).all():
        raise HotSpotsError(f"{name}: holds NaN or infinite values")
    columns, rows = shape[:2]
    return list(np.moveaxis((values != 0).reshape(columns, rows, -1), (0, 1, 2), (2, 1, 0)))

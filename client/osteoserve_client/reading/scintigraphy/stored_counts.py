"""The counts of one stored DICOM frame."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from osteoserve_client.reading.dicom.attributes import number, text
from osteoserve_client.reading.dicom.headers import DicomFile
from osteoserve_client.reading.dicom.pixels import PixelLayout, Stored, frame_decoders, pixel_layout
from osteoserve_client.reading.dicom.remarks import is_lossy
from osteoserve_client.reading.limits import MAX_PIXELS, check_size
from osteoserve_client.reading.scintigraphy.counts import air_is_bright, to_counts

GREY = "pixels are 8-bit values: a display's window may have cut counts off"
INVERTED = "MONOCHROME1 with bright air: grey was inverted"
BELOW_ZERO = "values that the lossy compression brought below zero were taken as no counts"


def read_counts(file: DicomFile, frame: int, name: str) -> tuple[npt.NDArray[np.uint16], list[str]]:
    """Reads and decodes one frame.

    Args:
        file: Its file.
        frame: Its number, from 1.
        name: How messages call it.

    Returns:
        (Y, X) uint16 counts as they are stored, and what there is to remark on them.

    Raises:
        PixelDataError: Pixel data are truncated, damaged, too large, or larger than declared.
        PixelFormatError, TransferSyntaxError: They cannot be decoded.
        CountsError: They are no counts.
    """
    layout = pixel_layout(file)
    check_size((layout.frames, layout.rows, layout.columns), file.name, most=MAX_PIXELS)
    stored = frame_decoders(file, layout, jpeg_extended=True)[frame - 1]()
    remarks = [GREY] if layout.bits_stored <= 8 else []
    if _is_inverted(file, layout, stored):
        stored = (1 << layout.bits_stored) - 1 - stored.astype(np.int64)
        remarks.append(INVERTED)
    lossy = is_lossy(file)
    if lossy and stored.min() < 0:
        remarks.append(BELOW_ZERO)
    slope = number(file.dataset, "RescaleSlope", file.name)
    intercept = number(file.dataset, "RescaleIntercept", file.name)
    counts = to_counts(
        stored,
        name,
        slope=1.0 if slope is None else slope,
        intercept=intercept or 0.0,
        lossy=lossy,
    )
    return counts, remarks


def _is_inverted(file: DicomFile, layout: PixelLayout, stored: Stored) -> bool:
    """Whether large values are few counts.

    MONOCHROME1 says only that small values are shown bright (PS3.3 C.7.6.3.1.2). That may show a
    scan black on white, as many read it, or be a picture of one whose grey was inverted; the air
    around the patient tells which.
    """
    photometric = text(file.dataset, "PhotometricInterpretation", file.name).upper()
    return photometric == "MONOCHROME1" and not layout.signed and air_is_bright(stored)

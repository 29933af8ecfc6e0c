"""Decodes JPEG Extended (process 4, 12 bits) with GDCM, to which pydicom does not pass it on.

pydicom's own decoder by GDCM takes 8 bits only. GDCM's codec of 12 bits reproduces the reference
of the NEMA compression samples within what the compression lost.
"""

from __future__ import annotations

from typing import Any

import gdcm  # type: ignore[import-untyped]  # has no stubs
import numpy as np
import numpy.typing as npt


def decode_jpeg_extended(
    frame: bytes, rows: int, columns: int, bits_stored: int
) -> npt.NDArray[np.integer[Any]]:
    """One frame of grey values.

    Args:
        frame: A JPEG stream whose own size was checked before.
        rows: Height in pixels.
        columns: Width in pixels.
        bits_stored: Bits of a value, 1 to 12.

    Returns:
        (rows, columns), uint8 or uint16: JPEG knows no sign.

    Raises:
        ValueError: It cannot be decoded.
    """
    dtype = np.dtype("u1" if bits_stored <= 8 else "<u2")
    image = _image(frame, rows, columns)
    image.SetPixelFormat(gdcm.PixelFormat(1, 8 * dtype.itemsize, bits_stored, bits_stored - 1, 0))
    buffer = image.GetBuffer()
    if buffer is None:
        raise ValueError("GDCM could not decode the frame")
    # GDCM hands bytes out as text.
    pixels = np.frombuffer(buffer.encode("utf-8", "surrogateescape"), dtype)
    return pixels.reshape(rows, columns)


def _image(frame: bytes, rows: int, columns: int) -> Any:
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(frame)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((columns, rows, 1))
    image.SetDataElement(element)
    grey = gdcm.PhotometricInterpretation.MONOCHROME2
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(grey))
    syntax = gdcm.TransferSyntax.JPEGExtendedProcess2_4
    image.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    return image

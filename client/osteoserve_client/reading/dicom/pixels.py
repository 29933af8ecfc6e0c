"""Stored pixel values of a DICOM file, decoded, bounded and checked against its header.

Decoders: GDCM for JPEG and JPEG-LS, OpenJPEG for JPEG 2000, pydicom for RLE. They are named, not
left to what happens to be installed: results must not depend on the environment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from osteoserve_client.errors import PixelDataError, PixelFormatError, TransferSyntaxError
from osteoserve_client.reading.dicom.attributes import integer
from osteoserve_client.reading.dicom.codestream import check_codestream
from osteoserve_client.reading.dicom.headers import DicomFile
from osteoserve_client.reading.dicom.jpeg_extended import decode_jpeg_extended
from osteoserve_client.reading.discretion import refusing

Stored = npt.NDArray[np.integer[Any]]

#: Item and sequence delimitation tags, little endian (PS3.5, table 7.5-3).
_ITEM, _DELIMITER = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"

NATIVE = (
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
)
#: pydicom's name of the decoder for each compression that is read.
DECODERS = {
    JPEGBaseline8Bit: "gdcm",
    JPEGLossless: "gdcm",
    JPEGLosslessSV1: "gdcm",
    JPEGLSLossless: "gdcm",
    JPEGLSNearLossless: "gdcm",
    JPEG2000Lossless: "pylibjpeg",
    JPEG2000: "pylibjpeg",
    HTJ2KLossless: "pylibjpeg",
    HTJ2KLosslessRPCL: "pylibjpeg",
    HTJ2K: "pylibjpeg",
    RLELossless: "pydicom",
}


@dataclass(frozen=True)
class PixelLayout:
    """How a file stores its pixels (PS3.3 C.7.6.3, PS3.5 section 8.1.1).

    Args:
        frames: Number of frames; 1 for a single-frame file.
        rows: Height in pixels.
        columns: Width in pixels.
        bits_allocated: Bits that a pixel occupies: 8, 16 or 32.
        bits_stored: Bits of them that are its value.
        high_bit: The highest of these.
        signed: Whether the value is a two's complement number.
    """

    frames: int
    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool

    @property
    def frame_bytes(self) -> int:
        """Size of one uncompressed frame in bytes."""
        return self.rows * self.columns * self.bits_allocated // 8


def pixel_layout(file: DicomFile) -> PixelLayout:
    """The layout that the header declares.

    Raises:
        PixelFormatError: It declares none, or one that cannot be.
    """

    def whole(keyword: str, default: int | None = None) -> int:
        found = integer(file.dataset, keyword, file.name)
        if found is None and default is None:
            raise PixelFormatError(f"{file.name}: {keyword} is absent")
        return found if found is not None else default or 0

    allocated = whole("BitsAllocated")
    stored = whole("BitsStored", allocated)
    layout = PixelLayout(
        frames=whole("NumberOfFrames", 1),
        rows=whole("Rows"),
        columns=whole("Columns"),
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=whole("HighBit", stored - 1),
        signed=whole("PixelRepresentation") == 1,
    )
    _check(layout, file.name)
    return layout


def _check(layout: PixelLayout, name: str) -> None:
    if min(layout.rows, layout.columns, layout.frames) < 1:
        raise PixelFormatError(f"{name}: declares an image without pixels")
    bits = (layout.bits_allocated, layout.bits_stored, layout.high_bit)
    possible = bits[0] in (8, 16, 32) and 1 <= bits[1] <= bits[0] and bits[1] <= bits[2] + 1
    if not possible or layout.high_bit >= layout.bits_allocated:
        raise PixelFormatError(
            f"{name}: declares {bits[0]} bits allocated, {bits[1]} stored, high bit {bits[2]}"
        )


def frame_decoders(
    file: DicomFile, layout: PixelLayout, *, jpeg_extended: bool = False
) -> list[Callable[[], Stored]]:
    """Reads the file's pixels; what it returns decodes them, frame by frame, also in threads.

    Args:
        file: The file.
        layout: Its layout.
        jpeg_extended: Decode JPEG Extended as well, which is lossy and has 12 bits: too little
            for HU.

    Returns:
        For each frame a function that gives (rows, columns), integers as stored, not rescaled.
        It raises PixelDataError or PixelFormatError as ``frame_decoders`` does.

    Raises:
        TransferSyntaxError: Nothing here decodes the compression.
        PixelDataError: Pixel data are truncated, damaged, or not of the declared size.
        PixelFormatError: Bits outside those declared as stored are in use.
    """
    syntax, name = file.transfer_syntax, file.name
    extended = jpeg_extended and syntax == JPEGExtended12Bit
    if syntax not in NATIVE and syntax not in DECODERS and not extended:
        raise TransferSyntaxError(f"{name}: its compression, {_title(syntax)}, cannot be decoded")
    value = file.pixel_value(layout.frames * layout.frame_bytes)
    if value.encapsulated != (syntax not in NATIVE):
        raise PixelDataError(f"{name}: its pixel data are not encoded as its header declares")
    if value.encapsulated:
        with refusing(PixelDataError, f"{name}: truncated: the compressed pixel data break off"):
            frames = compressed_frames(value.data, layout.frames)
        return [partial(_decoded, frame, file, layout) for frame in frames]
    return _native(value.data, file, layout)


def _native(data: bytes, file: DicomFile, layout: PixelLayout) -> list[Callable[[], Stored]]:
    declared = layout.frames * layout.frame_bytes
    excess = len(data) - declared
    # Some writers pad to more than an even length; a row or column too many is another size.
    line = min(layout.rows, layout.columns) * layout.bits_allocated // 8
    if not 0 <= excess < max(line, 2):
        raise PixelDataError(
            f"{file.name}: holds {len(data)} bytes of pixels, its header declares {declared}"
        )
    order = ">" if file.transfer_syntax == ExplicitVRBigEndian else "<"
    dtype = np.dtype(f"{order}{'i' if layout.signed else 'u'}{layout.bits_allocated // 8}")
    pixels = np.frombuffer(data, dtype, count=declared // dtype.itemsize)
    frames = pixels.reshape(layout.frames, layout.rows, layout.columns)
    return [partial(stored_bits, frame, file, layout) for frame in frames]


def stored_bits(pixels: Stored, file: DicomFile, layout: PixelLayout) -> Stored:
    """The value alone of each pixel, where it occupies only a part of the bits allocated.

    Args:
        pixels: (rows, columns) integers as they lie in the file.
        file: The file they come from.
        layout: Its layout.

    Raises:
        PixelFormatError: The other bits are in use, and no overlay is declared to lie there
            (PS3.5, section 8.1.2): the declared layout is wrong, and so would be the values.
    """
    above = layout.bits_allocated - 1 - layout.high_bit
    unused = layout.bits_allocated - layout.bits_stored
    if unused == 0:
        return pixels
    # Left, then right: arithmetic for signed types, so the sign comes out right as well.
    values = np.right_shift(np.left_shift(pixels, above), unused)
    if not np.array_equal(values, pixels):
        plain = above == unused and layout.signed and _upper_bits_are_zero(pixels, layout)
        if not plain and not _has_embedded_overlay(file):
            raise PixelFormatError(
                f"{file.name}: pixel values do not fit into its {layout.bits_stored} bits stored"
            )
    return values


def _upper_bits_are_zero(pixels: Stored, layout: PixelLayout) -> bool:
    """Whether negative numbers were written without extending their sign."""
    return bool(pixels.min() >= 0 and int(pixels.max()) < 1 << layout.bits_stored)


def _has_embedded_overlay(file: DicomFile) -> bool:
    """Whether an overlay lies in pixels' unused bits: its Bit Position (60xx,0102) is not 0."""
    return any(
        tag.group & 0xFF00 == 0x6000 and tag.element == 0x0102 and bool(file.dataset[tag].value)
        for tag in file.dataset.keys()  # noqa: SIM118  # iterating a dataset decodes all of it
    )


def compressed_frames(data: bytes, count: int) -> list[bytes]:
    """Splits encapsulated pixel data (PS3.5, section A.4) into its frames.

    Args:
        data: Basic offset table, fragments, and whatever follows the closing delimiter.
        count: Declared number of frames.

    Raises:
        ValueError: The items break off, or do not form that many frames.
    """
    at = 0
    while (tag := data[at : at + 4]) == _ITEM:
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "little")
    if tag != _DELIMITER:
        raise ValueError("the closing delimiter is missing")
    frames = list(generate_frames(data[:at], number_of_frames=count))
    if len(frames) != count:
        raise ValueError("another number of frames than declared")
    return frames


def _decoded(frame: bytes, file: DicomFile, layout: PixelLayout) -> Stored:
    syntax = file.transfer_syntax
    check_codestream(frame, syntax, file.name, rows=layout.rows, columns=layout.columns)
    if syntax == JPEGExtended12Bit:
        with refusing(PixelDataError, f"{file.name}: the compressed pixel data are damaged"):
            return decode_jpeg_extended(frame, layout.rows, layout.columns, layout.bits_stored)
    options: Any = {
        "rows": layout.rows,
        "columns": layout.columns,
        "number_of_frames": 1,
        "samples_per_pixel": 1,
        "photometric_interpretation": "MONOCHROME2",
        "pixel_keyword": "PixelData",
        "pixel_representation": int(layout.signed),
        "bits_allocated": layout.bits_allocated,
        "bits_stored": layout.bits_stored,
    }
    with refusing(PixelDataError, f"{file.name}: the compressed pixel data are damaged"):
        pixels, _ = get_decoder(syntax).as_array(
            encapsulate([frame], has_bot=False),
            raw=True,
            decoding_plugin=DECODERS[syntax],
            **options,
        )
    if pixels.shape != (layout.rows, layout.columns):
        raise PixelDataError(f"{file.name}: the compressed pixels have another size than declared")
    return pixels


def _title(syntax: UID) -> str:
    return syntax.name if syntax.is_transfer_syntax and not syntax.is_private else "unknown"

"""What a compressed frame says of itself, read before a decoder sees it.

A frame's own header may claim a picture far larger than the DICOM header declares, and decoders
allocate what it claims. A frame that was cut off decodes, with some decoders, into a picture
whose lower part is missing.
"""

from __future__ import annotations

from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
)

from osteoserve_client.errors import DecompressionBoundError, PixelDataError

_JPEG = (
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
)
_JPEG_2000 = (JPEG2000Lossless, JPEG2000, HTJ2KLossless, HTJ2KLosslessRPCL, HTJ2K)

_END_OF_IMAGE = b"\xff\xd9"  # also JPEG 2000's end of codestream
_START_OF_CODESTREAM = b"\xff\x4f\xff\x51"  # SOC, SIZ: ISO/IEC 15444-1, A.4.1 and A.5.1
#: Start-of-frame markers: ISO/IEC 10918-1, table B.1, without DHT, JPG and DAC; 14495-1 (0xF7).
_START_OF_FRAME = (frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}) | {0xF7}


def check_codestream(frame: bytes, syntax: UID, name: str, *, rows: int, columns: int) -> None:
    """Refuses a frame that is cut off, or whose own size is not what the header declares.

    Args:
        frame: One compressed frame.
        syntax: Its transfer syntax.
        name: How messages call the slice.
        rows: Declared height in pixels.
        columns: Declared width in pixels.

    Raises:
        DecompressionBoundError: The frame says that it is larger than declared.
        PixelDataError: It says that it is smaller, is cut off, or is damaged.
    """
    if syntax not in _JPEG + _JPEG_2000:
        return
    size = jpeg_2000_size(frame) if syntax in _JPEG_2000 else jpeg_size(frame)
    if size is None:
        raise PixelDataError(f"{name}: the compressed pixel data are damaged")
    if size != (rows, columns):
        bound = size[0] > rows or size[1] > columns
        error = DecompressionBoundError if bound else PixelDataError
        raise error(
            f"{name}: the compressed pixels are {size[0]}x{size[1]}, "
            f"the header declares {rows}x{columns}"
        )
    if _END_OF_IMAGE not in frame[-16:]:
        raise PixelDataError(f"{name}: truncated: the compressed pixel data break off")


def jpeg_size(frame: bytes) -> tuple[int, int] | None:
    """(rows, columns) of a JPEG or JPEG-LS stream; None when it has no frame header."""
    at = 2
    while at + 9 <= len(frame) and frame[at] == 0xFF:
        marker = frame[at + 1]
        if marker == 0xFF:  # fill byte (ISO/IEC 10918-1, B.1.1.2)
            at += 1
            continue
        if marker in _START_OF_FRAME:
            rows, columns = frame[at + 5 : at + 7], frame[at + 7 : at + 9]
            return int.from_bytes(rows, "big"), int.from_bytes(columns, "big")
        at += 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
    return None


def jpeg_2000_size(frame: bytes) -> tuple[int, int] | None:
    """(rows, columns) of a JPEG 2000 codestream; None when it has no SIZ segment.

    ISO/IEC 15444-1, A.5.1: width is Xsiz - XOsiz, height is Ysiz - YOsiz.
    """
    start = frame.find(_START_OF_CODESTREAM)
    fields = frame[start + 8 : start + 24]
    if start < 0 or len(fields) < 16:
        return None
    x, y, x_offset, y_offset = (int.from_bytes(fields[i : i + 4], "big") for i in (0, 4, 8, 12))
    return y - y_offset, x - x_offset

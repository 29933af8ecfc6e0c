"""Expands deflated DICOM files (PS3.5, section A.5) without trusting them.

A deflated file is one zlib stream after its file meta information. pydicom expands all of it at
once, whatever its size: 408 KB have cost 761 MB. Here an expansion stops at a bound.
"""

from __future__ import annotations

import zlib
from pathlib import Path

from pydicom.dataset import FileMetaDataset

from osteoserve_client.errors import DecompressionBoundError, PixelDataError, UnreadableFileError

#: Preamble, "DICM" and the File Meta Information Group Length element (PS3.10, section 7.1), from
#: whose end that length counts.
_HEAD_BYTES = 128 + 4 + 12


def deflated_bytes(path: Path, meta: FileMetaDataset, name: str) -> bytes:
    """The compressed stream after the file meta information.

    Raises:
        UnreadableFileError: The meta information does not say where it ends.
    """
    length = meta.get("FileMetaInformationGroupLength")
    if not isinstance(length, int):
        raise UnreadableFileError(f"{name}: the length of its file meta information is absent")
    with path.open("rb") as file:
        file.seek(_HEAD_BYTES + length)
        return file.read()


def expand(data: bytes, name: str, *, limit: int) -> bytes:
    """The whole expanded stream.

    Raises:
        DecompressionBoundError: It is longer than the limit.
        PixelDataError: It breaks off.
    """
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    expanded = inflater.decompress(data, limit + 1)
    if len(expanded) > limit:
        raise DecompressionBoundError(
            f"{name}: expands to more than the {limit} bytes that its header declares"
        )
    if not inflater.eof:
        raise PixelDataError(f"{name}: the deflated data break off")
    return expanded


def expand_start(data: bytes, *, limit: int) -> bytes:
    """At most the first ``limit`` bytes of the expanded stream."""
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, limit)

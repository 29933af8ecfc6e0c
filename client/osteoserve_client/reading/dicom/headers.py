"""Reads a DICOM file's header and remembers where its pixels begin, so nothing is read twice."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from io import BufferedReader, BytesIO, FileIO
from pathlib import Path
from typing import BinaryIO

from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from osteoserve_client.errors import (
    DecompressionBoundError,
    PixelDataError,
    UnreadableFileError,
)
from osteoserve_client.reading.dicom.attributes import raw_text
from osteoserve_client.reading.dicom.deflated import deflated_bytes, expand, expand_start
from osteoserve_client.reading.discretion import refusing

#: Most bytes that a deflated file's header may expand to; real ones measure kilobytes.
MAX_DEFLATED_HEADER = 16 << 20
#: Most bytes of any other header; that of a multi-frame file has kilobytes for each of its frames.
MAX_HEADER = 64 << 20
#: What may follow the pixels of a file: padding, signatures.
_TRAILING_BYTES = 1 << 16

_PIXEL_DATA = 0x7FE00010
_FLOAT_PIXEL_DATA = (0x7FE00008, 0x7FE00009)
_UNDEFINED_LENGTH = 0xFFFFFFFF


@dataclass(frozen=True)
class PixelValue:
    """The value of a Pixel Data element.

    Args:
        data: Its bytes. Encapsulated: what follows the element's head up to the end of the file.
        encapsulated: Whether it is a sequence of compressed fragments (PS3.5, section A.4).
    """

    data: bytes
    encapsulated: bool


@dataclass(frozen=True, eq=False)
class DicomFile:
    """A DICOM file's header, and where its pixel data lie.

    Args:
        name: How messages call it.
        path: Where it is.
        dataset: Everything before the pixel data, with its file meta information.
        transfer_syntax: How the dataset and its pixels are encoded (PS3.5, section 10).
        pixel_offset: Where the Pixel Data element begins, in bytes from the start of the file
            (of the expanded dataset, when the file is deflated); None when there is none.
        float_pixels: The pixels are floating-point numbers instead (PS3.3 C.7.6.24).
    """

    name: str
    path: Path
    dataset: Dataset
    transfer_syntax: UID
    pixel_offset: int | None
    float_pixels: bool

    def pixel_value(self, declared_bytes: int) -> PixelValue:
        """Reads the Pixel Data element's value.

        Args:
            declared_bytes: What the pixels measure uncompressed, from the header; bounds the
                expansion of a deflated file.

        Raises:
            PixelDataError: The file ends before the value does.
            DecompressionBoundError: The deflated file expands to more than it declares.
        """
        if self.pixel_offset is None:
            raise PixelDataError(f"{self.name}: there are no pixel data")
        with refusing(PixelDataError, f"{self.name}: the pixel data cannot be read"):
            if self.transfer_syntax != DeflatedExplicitVRLittleEndian:
                with self.path.open("rb") as file:
                    return self._value(file, declared_bytes)
            limit = self.pixel_offset + declared_bytes + _TRAILING_BYTES
            data = deflated_bytes(self.path, self.dataset.file_meta, self.name)
            return self._value(BytesIO(expand(data, self.name, limit=limit)), declared_bytes)

    def _value(self, stream: BinaryIO, declared_bytes: int) -> PixelValue:
        stream.seek(self.pixel_offset or 0)
        length = _value_length(stream, self.transfer_syntax)
        if length == _UNDEFINED_LENGTH:
            return PixelValue(self._fragments(stream, declared_bytes), encapsulated=True)
        if length > declared_bytes + _TRAILING_BYTES:
            raise PixelDataError(
                f"{self.name}: holds {length} bytes of pixels, its header declares {declared_bytes}"
            )
        data = stream.read(length)
        if len(data) < length:
            raise PixelDataError(
                f"{self.name}: truncated: {len(data)} of {length} bytes of pixel data are there"
            )
        return PixelValue(data, encapsulated=False)

    def _fragments(self, stream: BinaryIO, declared_bytes: int) -> bytes:
        """What follows the element's head: no compression makes twice as much of anything."""
        limit = 2 * declared_bytes + _TRAILING_BYTES
        data = stream.read(limit + 1)
        if len(data) > limit:
            raise PixelDataError(
                f"{self.name}: holds more than {limit} bytes of compressed pixels, its header "
                f"declares {declared_bytes} bytes uncompressed"
            )
        return data


class _HeaderStream(BufferedReader):
    """A file of which only the start is read, whatever lengths its elements state."""

    def __init__(self, raw: FileIO, name: str) -> None:
        super().__init__(raw)
        self._name = name

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0 or self.tell() + size > MAX_HEADER:
            raise UnreadableFileError(
                f"{self._name}: its header has more than the {MAX_HEADER} bytes that are read"
            )
        return super().read(size)


def read_header(path: Path, name: str) -> DicomFile | None:
    """The header of a DICOM file; None when the file is none.

    Call it inside ``silenced_libraries()``.

    Raises:
        UnreadableFileError: It is a DICOM file, but damaged, or it may not be read.
        DecompressionBoundError: A deflated file's header expands beyond all reason.
    """
    with refusing(
        UnreadableFileError, f"{name}: cannot be parsed as DICOM: damaged, or wrongly encoded"
    ):
        try:
            with _HeaderStream(FileIO(path), name) as stream:
                start = stream.read(132)
                if start[128:] == b"DICM":
                    return _part_10(path, name, stream)
                if _looks_like_bare_dataset(start):
                    return _located(name, path, stream, _bare_dataset(stream))
        except PermissionError:
            raise UnreadableFileError(f"{name}: may not be read (permission denied)") from None
    return None


def _part_10(path: Path, name: str, stream: BinaryIO) -> DicomFile:
    # The transfer syntax first: dcmread would expand a deflated file without bound.
    meta = FileMetaDataset(
        read_dataset(stream, False, True, stop_when=lambda tag, *_: tag >> 16 != 2)
    )
    if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
        return _deflated(path, name, meta)
    stream.seek(0)
    return _located(name, path, stream, dcmread(stream, stop_before_pixels=True))


def _deflated(path: Path, name: str, meta: FileMetaDataset) -> DicomFile:
    start = expand_start(deflated_bytes(path, meta, name), limit=MAX_DEFLATED_HEADER)
    stream = BytesIO(start)
    dataset = read_dataset(stream, False, True, stop_when=lambda tag, *_: tag >= 0x7FE00008)
    dataset.file_meta = meta
    file = _located(name, path, stream, dataset)
    if file.pixel_offset is None and len(start) == MAX_DEFLATED_HEADER:
        raise DecompressionBoundError(
            f"{name}: its header expands to more than {MAX_DEFLATED_HEADER} bytes"
        )
    return file


def _looks_like_bare_dataset(start: bytes) -> bool:
    """Whether a file without preamble begins as a dataset does: group 8 and a sane first element.

    Files written without preamble and meta information have the default transfer syntax
    (implicit VR) or explicit VR, little endian; the first element is short.
    """
    if len(start) < 132 or start[:2] != b"\x08\0":
        return False
    explicit = start[4:6].isalpha() and start[4:6].isupper()
    return explicit or int.from_bytes(start[4:8], "little") < 128


def _bare_dataset(stream: BinaryIO) -> Dataset:
    stream.seek(0)
    dataset = dcmread(stream, stop_before_pixels=True, force=True)
    implicit, _ = dataset.original_encoding
    dataset.file_meta.TransferSyntaxUID = (
        ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    )
    return dataset


def _located(name: str, path: Path, stream: BinaryIO, dataset: Dataset) -> DicomFile:
    """Joins a dataset with the place where parsing stopped: at its pixels or at the end."""
    _restore_instance(dataset)
    syntax = UID(dataset.file_meta.get("TransferSyntaxUID") or _declared_nowhere(name))
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    offset = stream.tell()
    head = stream.read(4)
    group, element = struct.unpack(order + "HH", head) if len(head) == 4 else (0, 0)
    tag = group << 16 | element
    return DicomFile(
        name=name,
        path=path,
        dataset=dataset,
        transfer_syntax=syntax,
        pixel_offset=offset if tag == _PIXEL_DATA else None,
        float_pixels=tag in _FLOAT_PIXEL_DATA,
    )


def _restore_instance(dataset: Dataset) -> None:
    """Fills SOP Class and Instance UID, where blanked, from the file meta information.

    They are the same by definition (PS3.10, table 7.1-1), and a mask must reference its slices.
    """
    for keyword in ("SOPClassUID", "SOPInstanceUID"):
        stored = dataset.file_meta.get(f"MediaStorage{keyword}")
        if stored and not raw_text(dataset, keyword):
            setattr(dataset, keyword, stored)


def _declared_nowhere(name: str) -> str:
    raise UnreadableFileError(f"{name}: Transfer Syntax UID is absent")


def _value_length(stream: BinaryIO, syntax: UID) -> int:
    """Skips the element's tag, VR and length (PS3.5, section 7.1) and returns the length."""
    stream.read(4)
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    head = stream.read(4)
    # By what is there, not by the syntax: pydicom forgives files that declare the wrong one.
    if head[:2] in (b"OB", b"OW", b"UN"):
        head = stream.read(4)
    return int(struct.unpack(order + "I", head)[0])

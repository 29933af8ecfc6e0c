"""Files that expand, or claim, beyond all reason: a typed refusal for a few megabytes of memory."""

from __future__ import annotations

import gzip
import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, RLELossless

from osteoserve_client.reading import read_study
from tests.client.reading.ct_series import Series, save

READER = Path(__file__).with_name("reading_peak.py")
MEBIBYTE, GIBIBYTE = 1 << 20, 1 << 30

#: What reading may take where nothing is to be read: a deflated header may expand to 16 MiB.
MARGIN = 64 * MEBIBYTE

SERIES = Series()
PIXEL_DATA = b"\xe0\x7f\x10\x00OW"


def nifti_header(shape: tuple[int, int, int], dtype: str = "<i2", offset: float = 352) -> bytes:
    image = nibabel.Nifti1Image(np.zeros((2, 2, 2), dtype), np.eye(4))
    image.set_qform(np.eye(4), code=1)
    image.set_sform(np.eye(4), code=1)
    header = image.header
    header.set_data_shape(shape)
    header["vox_offset"], header["magic"] = offset, b"n+1"
    return bytes(header.binaryblock)


def expanding(path: Path, start: bytes) -> Path:
    """A gzip file that begins so and goes on with a gigabyte of zeros, member by member."""
    member = gzip.compress(bytes(16 * MEBIBYTE))
    path.write_bytes(gzip.compress(start) + member * 64)
    assert path.stat().st_size < 2 * MEBIBYTE
    return path


def extension(size: int, offset: float) -> bytes:
    """A header whose extension says that it has so many bytes."""
    return nifti_header((7, 6, 5), offset=offset) + b"\1\0\0\0" + struct.pack("<ii", size, 6)


def before_pixels(folder: Path, element: bytes, length: int = 0) -> Path:
    """A series with something before the pixels of one slice, and a hole of ``length`` after it."""
    path = SERIES.write(folder) / "IM0002.dcm"
    content = path.read_bytes()
    pixels = content.index(PIXEL_DATA)
    path.write_bytes(content[:pixels] + element)
    os.truncate(path, pixels + len(element) + length)
    with path.open("ab") as file:
        file.write(content[pixels:])
    return folder


def claiming_pixels(folder: Path) -> Path:
    path = SERIES.write(folder) / "IM0002.dcm"
    content = bytearray(path.read_bytes())
    at = content.index(PIXEL_DATA)
    content[at + 8 : at + 12] = struct.pack("<I", 3 * GIBIBYTE)
    path.write_bytes(content)
    os.truncate(path, at + 12 + 3 * GIBIBYTE)
    return folder


def endless_fragments(folder: Path) -> Path:
    path = SERIES.write(folder) / "IM0002.dcm"
    dataset = SERIES.dataset(2)
    dataset.compress(RLELossless)
    save(dataset, path)
    os.truncate(path, 3 * GIBIBYTE)
    return folder


def deflated(folder: Path) -> Path:
    dataset = SERIES.dataset(0)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.PixelData = bytes(128 * MEBIBYTE)
    return save(dataset, folder / "bomb.dcm")


def nested(depth: int, *, lengths: bool) -> bytes:
    """Request Attributes Sequences in each other, of stated or of undefined length."""
    tag, item = b"\x40\0\x75\x02SQ\0\0", b"\xfe\xff\0\xe0"
    if not lengths:
        undefined = b"\xff\xff\xff\xff"
        ends = b"\xfe\xff\x0d\xe0\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0"
        return depth * (tag + undefined + item + undefined) + depth * ends
    content = b""
    for _ in range(depth):
        content = item + struct.pack("<I", len(content)) + content
        content = tag + struct.pack("<I", len(content)) + content
    return content


#: Of 7x6x5 voxels that may be HU.
VOXELS = np.random.default_rng(1).integers(-1000, 1000, 210).astype("<i2").tobytes()


def nrrd(path: Path, field: str) -> Path:
    header = (
        "NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: 7 6 5\n"
        "space directions: (1,0,0) (0,1,0) (0,0,1)\nkinds: domain domain domain\n"
        f"endian: little\nencoding: gzip\n{field}\nspace origin: (0,0,0)\n\n"
    )
    path.write_bytes(header.encode() + gzip.compress(bytes(16 * MEBIBYTE)) * 64)
    return path


def metaimage(path: Path, compressed: bytes, *, size: str | None = None) -> Path:
    """A file that states the true size of what is compressed, or ``size``."""
    stated = f"CompressedDataSize = {len(compressed)}\n" if size is None else size
    header = (
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
        f"CompressedData = True\n{stated}TransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 0 0 0\n"
        "ElementSpacing = 1 1 1\nDimSize = 7 6 5\nElementType = MET_SHORT\n"
        "ElementDataFile = LOCAL\n"
    )
    path.write_bytes(header.encode() + compressed)
    return path


def test_a_compressed_metaimage_that_is_whole_is_read(tmp_path: Path) -> None:
    path = metaimage(tmp_path / "ct.mha", zlib.compress(VOXELS))
    assert read_study(path).volume.voxels.tobytes() == VOXELS


BOMBS: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "a NIfTI that goes on after its voxels": (
        "PixelDataError",
        lambda folder: expanding(folder / "ct.nii.gz", nifti_header((7, 6, 5)) + bytes(4)),
    ),
    "an extension of no length": (
        "PixelDataError",
        lambda folder: expanding(folder / "ct.nii.gz", extension(0, 1 << 20)),
    ),
    "an extension of a gigabyte": (
        "UnreadableFileError",
        lambda folder: expanding(folder / "ct.nii.gz", extension(10**9, 1e9)),
    ),
    "a slice of eight gigabytes": (
        "PixelDataError",
        lambda folder: expanding(folder / "ct.nii.gz", nifti_header((32767, 32767, 1), "<f8")),
    ),
    "a deflated DICOM file": ("DecompressionBoundError", deflated),
    "a private element of 3 GiB": (
        "UnreadableFileError",
        lambda folder: before_pixels(
            folder, b"\x42\0\x11\0OB\0\0" + struct.pack("<I", 3 * GIBIBYTE), 3 * GIBIBYTE
        ),
    ),
    "pixels of 3 GiB": ("PixelDataError", claiming_pixels),
    "compressed pixels of 3 GiB": ("PixelDataError", endless_fragments),
    "a NRRD that skips a gigabyte": (
        "UnreadableFileError",
        lambda folder: nrrd(folder / "ct.nrrd", "byte skip: 900000000"),
    ),
    "a MetaImage whose voxels do not expand to its size": (
        "PixelDataError",
        lambda folder: metaimage(folder / "ct.mha", zlib.compress(bytes(64 * MEBIBYTE))),
    ),
    "a MetaImage whose voxels break off": (
        "PixelDataError",
        lambda folder: metaimage(folder / "ct.mha", zlib.compress(VOXELS)[:-20]),
    ),
    "a MetaImage that does not say how much is compressed": (
        "PixelDataError",
        lambda folder: metaimage(folder / "ct.mha", zlib.compress(VOXELS), size=""),
    ),
    "a MetaImage that says too little of what is compressed": (
        "PixelDataError",
        lambda folder: metaimage(
            folder / "ct.mha", zlib.compress(VOXELS), size="CompressedDataSize = 99\n"
        ),
    ),
    "300 sequences in each other": (
        "UnreadableFileError",
        lambda folder: before_pixels(folder, nested(300, lengths=False)),
    ),
}


@pytest.fixture(scope="module")
def endings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """How reading each of them ends, in a process of its own, and what it takes."""
    paths = [make(tmp_path_factory.mktemp("bomb")) for _, make in BOMBS.values()]
    ended = subprocess.run(
        [sys.executable, str(READER), *map(str, paths)], capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stderr
    return dict(zip(BOMBS, json.loads(ended.stdout), strict=True))


@pytest.mark.parametrize("what", BOMBS)
def test_a_bomb_is_refused_before_it_costs_memory(
    endings: dict[str, dict[str, Any]], what: str
) -> None:
    result = endings[what]
    assert result["ended"] == BOMBS[what][0], result["said"]
    assert result["taken"] < MARGIN
    assert len(result["said"].splitlines()) == 1


def test_sequences_that_nobody_asks_for_are_left_alone(tmp_path: Path) -> None:
    """With their lengths stated they need not be entered to be passed by."""
    folder = before_pixels(tmp_path, nested(300, lengths=True))
    assert np.array_equal(
        read_study(folder).volume.voxels, read_study(SERIES.write(tmp_path / "plain")).volume.voxels
    )

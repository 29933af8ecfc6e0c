"""``python -m tests.fuzz.seeds``: writes the part of the corpus that is made, not found.

Tiny files of every kind that is read, and streams of every kind that is taken. Nothing in them
comes from a scan.
"""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import SimpleITK
from PIL import Image
from pydicom import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from osteoserve_client.phantom.scintigraphy import (
    make_scintigraphy_phantom,
    write_scintigraphy_study,
)
from osteoserve_preprocessing.geometry import Geometry
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb
from osteoserve_preprocessing.v1.framing import frames, geometry_to_message
from tests.client.reading.ct_series import CANARY, Series
from tests.fuzz.reading import _folder
from tests.fuzz.wire import ASKED, packed

CORPUS = Path(__file__).with_name("corpus")
Seeds = Iterator[tuple[str, bytes]]
_LARGER: dict[str, Any] = {"rows": 32, "columns": 32}


def dicom() -> Seeds:
    """CT slices in each transfer syntax, a multi-frame CT, a bone scan, a bare dataset."""
    yield "explicit", _file(Series().dataset(1))
    for name, syntax in (("implicit", ImplicitVRLittleEndian), ("big", ExplicitVRBigEndian)):
        dataset = Series().dataset(1)
        dataset.file_meta.TransferSyntaxUID = syntax
        if syntax == ExplicitVRBigEndian:
            dataset.PixelData = dataset.pixel_array.astype(">i2").tobytes()
        yield name, _file(dataset)
    # OpenJPEG takes no slices that are smaller.
    for name, syntax, size in (("rle", RLELossless, {}), ("jpeg2000", JPEG2000Lossless, _LARGER)):
        dataset = Series(**size).dataset(1)
        dataset.compress(syntax, generate_instance_uid=False)
        yield name, _file(dataset)
    dataset = Series().dataset(1)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    yield "deflated", _file(dataset)
    yield "multi_frame", _file(Series().enhanced())
    yield "bone_scan", _file(_small_scan())
    yield "bare", _file(Series().dataset(1))[132:]


def series() -> Seeds:
    """The slice that belongs between the others, in either encoding of its header."""
    yield from ((name, content) for name, content in dicom() if name in ("explicit", "implicit"))


def volume() -> Seeds:
    """NIfTI-1 and -2, either byte order, scaled, compressed; NRRD and MetaImage."""
    values = (np.arange(60).reshape(5, 4, 3) * 20 - 1000).astype(np.int16)
    affine = np.array([[-1.0, 0, 0, 4], [0, -2, 0, 3], [0, 0, 3, -2], [0, 0, 0, 1]])
    for name, kind in (("nifti1", nibabel.Nifti1Image), ("nifti2", nibabel.Nifti2Image)):
        image = kind(values, affine)
        image.header["descrip"] = CANARY
        image.set_qform(affine, 1)
        image.set_sform(affine, 1)
        yield name, image.to_bytes()
        yield f"{name}_gz", gzip.compress(image.to_bytes(), mtime=0)
    header = nibabel.Nifti1Header(endianness=">")
    scaled = nibabel.Nifti1Image((values / 2).astype(np.float32), affine, header)
    scaled.set_sform(affine, 1)
    scaled.set_qform(affine, 1)
    scaled.header.set_slope_inter(2, 0)
    yield "scaled", scaled.to_bytes()
    picture = SimpleITK.GetImageFromArray(values)
    with _folder() as folder:
        for suffix in ("nrrd", "mha"):
            for compressed in (False, True):
                path = folder / f"a.{suffix}"
                SimpleITK.WriteImage(picture, str(path), useCompression=compressed)
                yield f"{suffix}{'_gz' * compressed}", path.read_bytes()


def image() -> Seeds:
    """Grey and colour, 8 and 16 bits, one page and two."""
    random = np.random.default_rng(1)
    counts = random.integers(0, 200, (24, 16))
    grey = Image.fromarray(counts.astype(np.uint8))
    deep = Image.fromarray(counts.astype(np.uint16))
    colour = Image.merge("RGB", [grey] * 3)
    for name, one in (("grey", grey), ("deep", deep), ("colour", colour)):
        yield f"{name}_png", _stored(one, "PNG")
        yield f"{name}_tiff", _stored(one, "TIFF")
    yield "pages_tiff", _stored(deep, "TIFF", save_all=True, append_images=[deep])
    yield "described_tiff", _stored(grey, "TIFF", description=CANARY, artist=CANARY)
    yield "deflated_tiff", _stored(grey, "TIFF", compression="tiff_deflate")
    yield "packbits_tiff", _stored(grey, "TIFF", compression="packbits")


def segment() -> Seeds:
    """A whole stream, one that breaks off, one with too much."""
    voxels = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    whole = list(_stream(pb.SegmentRequest, _ct_header(), voxels))
    yield "whole", packed(whole)
    yield "broken", packed(whole[:-1])
    yield "too_much", packed([*whole[:2], *whole[1:]])


def scintigram() -> Seeds:
    """A whole stream."""
    header = pb.SegmentScintigramHeader(
        scintigram=pb.ScintigramHeader(
            rows=3, columns=4, views=(1, 2), pixel_spacing=(2, 2), element_type=_element("UINT16")
        ),
        options=pb.ScintigraphyOptions(brightness=1.5, retry_brightness=0, least_score=0.5),
        model="m",
    )
    counts = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    yield "whole", packed(_stream(pb.SegmentScintigramRequest, header, counts))


def answer() -> Seeds:
    """Progress, header, chunks, trailer."""
    header = pb.SegmentResultHeader(geometry=ASKED)
    labels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    progress = pb.SegmentResponse(progress=pb.Progress(stage=2, done=1, total=2))
    yield "whole", packed([progress, *_stream(pb.SegmentResponse, header, labels)])


def ct() -> Seeds:
    """Noise round water, and one with nothing but air."""
    noise = np.random.default_rng(2).normal(0, 200, 400).astype("<i2").tobytes()
    for stretcher in range(3):
        head = struct.pack("<6B3f2h", 3, 31, 35, stretcher, stretcher, stretcher, 3, 1, 1, 0, 300)
        yield f"noise{stretcher}", head + noise
    yield "air", struct.pack("<6B3f2h", 3, 31, 35, 2, 0, 1, 3, 1, 1, 0, 300) + b"\x00\xfc" * 9


def bone_scan() -> Seeds:
    """Counts of a Poisson process, of one view and of two."""
    counts = np.random.default_rng(3).poisson(20, 500).astype("<u2").tobytes()
    for views in range(2):
        yield f"views{views}", struct.pack("<4Bd", 100, 60, views, 0, 1.0) + counts


def _ct_header() -> pb.SegmentHeader:
    geometry = Geometry((2, 3, 4), (1.0, 1.0, 1.0))
    return pb.SegmentHeader(
        volume=pb.VolumeHeader(
            geometry=geometry_to_message(geometry),
            element_type=_element("INT16"),
            modality=pb.MODALITY_CT,
        ),
        model="m",
    )


def _element(name: str) -> Any:
    return getattr(pb, f"ELEMENT_TYPE_{name}")


def _stream(kind: Any, header: Any, array: Any) -> Iterator[Any]:
    yield kind(header=header)
    for frame in frames(array, chunk_bytes=20):
        yield kind(chunk=frame) if isinstance(frame, bytes) else kind(trailer=frame)


def _file(dataset: Dataset) -> bytes:
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def _small_scan() -> Dataset:
    """The phantom's file with every sixteenth row and column."""
    with _folder() as folder:
        (path,) = write_scintigraphy_study(make_scintigraphy_phantom(0), folder / "scan")
        dataset = pydicom.dcmread(path)
        counts = np.ascontiguousarray(dataset.pixel_array[:, ::16, ::16])
    dataset.PatientName = dataset.PatientID = CANARY
    dataset.Rows, dataset.Columns = counts.shape[1:]
    dataset.PixelData = counts.tobytes()
    return dataset


def _stored(one: Image.Image, kind: str, **options: Any) -> bytes:
    stream = BytesIO()
    one.save(stream, kind, **options)
    return stream.getvalue()


def main() -> None:
    for make in (answer, bone_scan, ct, dicom, image, scintigram, segment, series, volume):
        folder = CORPUS / make.__name__
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in make():
            (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()

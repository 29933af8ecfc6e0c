"""Reads a CT from NRRD or MetaImage through SimpleITK, whose frame is LPS like ours.

ITK fills in what a header leaves out: no orientation becomes the identity. So the header is
looked at as well, and one that does not say how the patient lies is refused.
"""

from __future__ import annotations

import zlib
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from osteoserve_client.errors import (
    AffineError,
    DimensionError,
    PixelDataError,
    PixelFormatError,
    UnreadableFileError,
)
from osteoserve_client.reading.discretion import refusing
from osteoserve_client.reading.files import Progress
from osteoserve_client.reading.hounsfield import Convert, Voxel, hounsfield_volume
from osteoserve_client.reading.itk import sitk
from osteoserve_client.reading.limits import check_size
from osteoserve_client.study import Study
from osteoserve_preprocessing.errors import GeometryError
from osteoserve_preprocessing.geometry import Geometry, Volume

#: Voxels (Z, Y, X) and where they lie.
Placed = tuple[npt.NDArray[Voxel], Geometry]

#: Headers are a few hundred bytes of text.
_MAX_HEADER_BYTES = 1 << 16

#: How much of a compressed file is expanded at a time.
_PART_BYTES = 4 << 20

#: Fields that place the voxels, each under the names that it goes by.
#: http://teem.sourceforge.net/nrrd/format.html, sections 6.1 and 6.2
_NRRD_FIELDS = (("space",), ("space directions",), ("space origin",))
#: https://github.com/Kitware/MetaIO: metaObject.cxx, metaImage.cxx
_METAIMAGE_FIELDS = (
    ("transformmatrix", "rotation", "orientation"),
    ("offset", "position", "origin"),
    ("elementspacing", "elementsize"),
)
#: What ITK calls the space after it has turned RAS and LAS into it.
_LPS = "left-posterior-superior"


def read_nrrd(path: Path, name: str, *, on_progress: Progress) -> Study:
    """Reads one ``.nrrd`` or ``.nhdr`` file; see ``osteoserve_client.reading.read_study``."""
    return _study(nrrd_voxels(path, name, hounsfield_volume), "nrrd", on_progress)


def nrrd_voxels(path: Path, name: str, convert: Convert[Voxel]) -> Placed[Voxel]:
    """The voxels of one file as ``convert`` makes them, and where they lie.

    Raises:
        InputError: The file is refused.
    """
    reader = _reader(path, name, "NrrdImageIO")
    fields = _header_fields(path, name, separator=":")
    _require(fields, _NRRD_FIELDS, name)
    units = fields.get("space units", '"mm"')
    if set(units.lower().replace('"', " ").split()) != {"mm"}:
        raise AffineError(f"{name}: its unit of length is not mm")
    _refuse_skips(fields, name)
    space = "NRRD_space"
    if not reader.HasMetaDataKey(space) or reader.GetMetaData(space) != _LPS:
        raise AffineError(f"{name}: its space is none of LPS, RAS and LAS")
    return _voxels(reader, name, convert)


def read_metaimage(path: Path, name: str, *, on_progress: Progress) -> Study:
    """Reads one ``.mha`` or ``.mhd`` file; see ``osteoserve_client.reading.read_study``."""
    return _study(metaimage_voxels(path, name, hounsfield_volume), "metaimage", on_progress)


def metaimage_voxels(path: Path, name: str, convert: Convert[Voxel]) -> Placed[Voxel]:
    """The voxels of one file as ``convert`` makes them, and where they lie.

    Raises:
        InputError: The file is refused.
    """
    reader = _reader(path, name, "MetaImageIO")
    fields = _header_fields(path, name, separator="=")
    _require(fields, _METAIMAGE_FIELDS, name)
    if fields.get("compresseddata", "").lower() in ("true", "1"):
        _check_expansion(path, fields, reader, name)
    return _voxels(reader, name, convert)


def _refuse_skips(fields: dict[str, str], name: str) -> None:
    """ITK expands byte by byte what is to be skipped of compressed data: for hours, if told so."""
    skips = [fields.get(field, "0") for field in ("byte skip", "line skip")]
    if fields.get("encoding", "raw").lower() != "raw" and any(skip != "0" for skip in skips):
        raise UnreadableFileError(f"{name}: skips a part of its compressed voxels")


def _check_expansion(path: Path, fields: dict[str, str], reader: Any, name: str) -> None:
    """ITK takes what a damaged stream left in memory for voxels (MetaIO, metaImage.cxx).

    Raises:
        PixelDataError: The voxels, one zlib stream, are damaged, too many or too few; or they are
            in several files, which is not looked into.
    """
    pixel = sitk.Image(1, 1, reader.GetPixelID())
    declared = prod(reader.GetSize()) * pixel.GetSizeOfPixelComponent()
    damaged = f"{name}: its voxels are truncated, damaged or absent"
    with refusing(PixelDataError, damaged):
        # Where the size is not stated, ITK takes the compressed bytes for voxels.
        data = _compressed(path, fields)[: int(fields["compresseddatasize"])]
        inflater = zlib.decompressobj(zlib.MAX_WBITS | 32)  # zlib's head or gzip's
        expanded = 0
        while not inflater.eof and expanded <= declared:
            part = inflater.decompress(data, _PART_BYTES)
            data, expanded = inflater.unconsumed_tail, expanded + len(part)
            if not part and not inflater.eof:
                break
    if not inflater.eof or expanded != declared:
        raise PixelDataError(damaged)


def _compressed(path: Path, fields: dict[str, str]) -> bytes:
    source = fields.get("elementdatafile", "")
    if source.upper() != "LOCAL":
        return (path.parent / source).read_bytes()
    content = path.read_bytes()
    return content[content.index(b"\n", content.index(b"ElementDataFile")) + 1 :]


def _header_fields(path: Path, name: str, *, separator: str) -> dict[str, str]:
    """The header's text up to where the voxels begin, by lower-case field name."""
    with refusing(UnreadableFileError, f"{name}: may not be read"), path.open("rb") as file:
        text = file.read(_MAX_HEADER_BYTES).decode("latin-1")
    fields: dict[str, str] = {}
    for line in text.splitlines():
        field, found, value = line.partition(separator)
        fields.setdefault(field.strip().lower(), value.strip())
        if not line.strip() or (found and field.strip() == "ElementDataFile"):
            break
    return fields


def _require(fields: dict[str, str], wanted: tuple[tuple[str, ...], ...], name: str) -> None:
    for names in wanted:
        if not any(fields.get(each) for each in names):
            raise AffineError(
                f"{name}: its header has no '{names[0]}': where the voxels lie is unknown"
            )


def _reader(path: Path, name: str, image_io: str) -> Any:
    with refusing(UnreadableFileError, f"{name}: its header is damaged, or its data are absent"):
        reader = sitk.ImageFileReader()
        reader.SetImageIO(image_io)
        reader.SetFileName(str(path))
        reader.ReadImageInformation()
    sizes = reader.GetSize()
    check_size(sizes, name)
    if len(sizes) < 3 or any(n > 1 for n in sizes[3:]):
        raise DimensionError(f"{name}: is {'x'.join(map(str, sizes))}: not one 3-D volume")
    if reader.GetNumberOfComponents() != 1:
        raise PixelFormatError(f"{name}: its voxels are no plain numbers (colour, or vectors)")
    return reader


def _study(
    placed: Placed[np.int16], source: Literal["nrrd", "metaimage"], on_progress: Progress
) -> Study:
    on_progress(1, 1)
    return Study(volume=Volume(*placed), source=source)


def _voxels(reader: Any, name: str, convert: Convert[Voxel]) -> Placed[Voxel]:
    with refusing(PixelDataError, f"{name}: its voxels are truncated, damaged or absent"):
        image = reader.Execute()
        values = sitk.GetArrayFromImage(image)
    geometry = _geometry(image, name)
    return convert(values.reshape(geometry.shape), geometry.shape, name), geometry


def _geometry(image: Any, name: str) -> Geometry:
    dimensions = image.GetDimension()
    direction = np.array(image.GetDirection()).reshape(dimensions, dimensions)[:3, :3]
    sizes, spacing, origin = image.GetSize(), image.GetSpacing(), image.GetOrigin()
    try:
        return Geometry(
            shape=(sizes[2], sizes[1], sizes[0]),
            spacing=(spacing[2], spacing[1], spacing[0]),
            origin=(origin[0], origin[1], origin[2]),
            direction=direction,
        )
    except GeometryError as error:
        raise AffineError(f"{name}: {error}") from error

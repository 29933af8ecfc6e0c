"""Reads a CT from NRRD or MetaImage through SimpleITK, whose frame is LPS like ours.

ITK fills in what a header leaves out: no orientation becomes the identity. So the header is
looked at as well, and one that does not say how the patient lies is refused.
"""

from __future__ import annotations

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
    _require(_header_fields(path, name, separator="="), _METAIMAGE_FIELDS, name)
    return _voxels(reader, name, convert)


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

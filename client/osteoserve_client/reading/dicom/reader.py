"""A DICOM folder or file, from its headers to a study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from osteoserve_client.errors import (
    DuplicateSliceError,
    LocalizerError,
    MixedSeriesError,
    NoImageError,
    PixelDataError,
    UnreadableFileError,
)
from osteoserve_client.reading.dicom.attributes import integer, raw_text
from osteoserve_client.reading.dicom.consistency import check_one_series
from osteoserve_client.reading.dicom.headers import DicomFile, read_header
from osteoserve_client.reading.dicom.kinds import CT, Sought, is_image, is_multi_frame
from osteoserve_client.reading.dicom.multiframe import multi_frame_slices
from osteoserve_client.reading.dicom.remarks import described, remarks
from osteoserve_client.reading.dicom.series import Series, choose_series, sort_into_series
from osteoserve_client.reading.dicom.slices import Slice, single_frame_slice
from osteoserve_client.reading.dicom.stack import Stack, stack
from osteoserve_client.reading.dicom.tilt import is_tilted, rectify, shear_degrees, sheared_grid
from osteoserve_client.reading.dicom.voxels import read_voxels
from osteoserve_client.reading.discretion import silenced_libraries
from osteoserve_client.reading.files import Progress, display_name, files_below, unreported
from osteoserve_client.study import Study
from osteoserve_preprocessing.geometry import Geometry, Volume

#: Suffixes that claim a file to be DICOM; one that is not is refused, since it may be a slice.
_DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")

#: The warning of a study whose volume is no longer on the slices' own grid.
RESAMPLED = (
    "the gantry was tilted: the slices were resampled onto a rectified grid, on which volumes are "
    "measured; masks for the slices themselves are brought back by nearest neighbour"
)


@dataclass(frozen=True, eq=False)
class Scan:
    """The images found, and how many files are none.

    Args:
        images: Headers of all images, of whatever modality.
        ignored: Number of other files.
    """

    images: tuple[DicomFile, ...]
    ignored: int


def read_dicom(
    scan: Scan, *, series: str | None, resample_tilt: bool, on_progress: Progress
) -> Study:
    """Reads one CT series; see ``osteoserve_client.reading.read_study``."""
    with silenced_libraries():
        chosen = choose_series(sort_into_series(scan.images), series)
        slices = _slices(chosen)
        ordered = stack(slices)
        tilted = is_tilted(ordered, resample=resample_tilt)
        files = len(scan.images) + scan.ignored

        def on_slice(done: int) -> None:
            # Headers are the first half of the work, pixels the second.
            on_progress(files + files * done // len(slices), 2 * files)

        voxels = read_voxels(ordered, on_slice=on_slice)
        return _study(ordered, voxels, chosen, tilted=tilted, ignored=scan.ignored)


def scan_files(
    path: Path,
    on_progress: Progress = unreported,
    *,
    sought: Sought = CT,
    only: Sequence[Path] | None = None,
) -> Scan:
    """Reads the headers of all DICOM images in a folder, or of one file.

    Call it inside ``silenced_libraries()``.

    Args:
        path: The folder or file.
        on_progress: Told of the headers as of the first half of the work.
        sought: Of what a file without pixels is refused, and not just left out.
        only: Of a folder, the files that count; None stands for all.

    Raises:
        NoImageError: There is no DICOM image.
        UnreadableFileError: A DICOM file is damaged.
    """
    paths = only or (files_below(path) if path.is_dir() else [path])
    images: list[DicomFile] = []
    for done, each in enumerate(paths, start=1):
        name = display_name(each, path)
        file = read_header(each, name)
        if file is None and each.suffix.lower() in _DICOM_SUFFIXES:
            raise UnreadableFileError(f"{name}: is no DICOM file, though its name says so")
        if file is not None and is_image(file, sought):
            images.append(file)
        on_progress(done, 2 * len(paths))
    if not images:
        raise NoImageError(
            f"there is no DICOM image among {len(paths)} files "
            "(NIfTI, NRRD and MetaImage are given by the path of the file)"
        )
    return Scan(tuple(images), len(paths) - len(images))


def _slices(series: Series) -> list[Slice]:
    """The slices of a series: all of its files, or the frames of its single multi-frame file."""
    for error in series.refused:
        if not isinstance(error, LocalizerError):
            raise error
    files = series.slices
    check_one_series(files)
    multi_frame = [file for file in files if is_multi_frame(file)]
    if multi_frame and len(files) > 1:
        raise MixedSeriesError(
            f"the series holds {len(files)} files, {len(multi_frame)} of them multi-frame; "
            "give the path of one of them"
        )
    if multi_frame:
        return multi_frame_slices(files[0])
    for file in files:
        if (integer(file.dataset, "NumberOfFrames", file.name) or 1) > 1:
            raise PixelDataError(f"{file.name}: has frames, but no functional groups to place them")
    check_instances(files)
    return [single_frame_slice(file) for file in files]


def check_instances(files: Sequence[DicomFile]) -> None:
    """Refuses two files that call themselves the same image.

    Raises:
        DuplicateSliceError: They have the same SOP Instance UID.
    """
    seen: dict[bytes, DicomFile] = {}
    for file in files:
        uid = raw_text(file.dataset, "SOPInstanceUID")
        if uid and uid in seen:
            raise DuplicateSliceError(
                f"{seen[uid].name} and {file.name} have the same SOP Instance UID"
            )
        seen[uid] = file


def _study(
    ordered: Stack, voxels: npt.NDArray[np.int16], chosen: Series, *, tilted: bool, ignored: int
) -> Study:
    slices = ordered.slices
    multi_frame = is_multi_frame(slices[0].file)
    warnings = remarks(ordered, chosen, ignored=ignored)
    sheared = sheared_grid(ordered, _shape(voxels)) if tilted else None
    if sheared is not None:
        warnings += (f"{RESAMPLED} (sheared by {shear_degrees(ordered):.1f} degrees)",)
    return Study(
        volume=Volume(voxels, _geometry(ordered, voxels))
        if sheared is None
        else rectify(voxels, sheared),
        source="dicom",
        datasets=(slices[0].file.dataset,)
        if multi_frame
        else tuple(one.file.dataset for one in slices),
        frames=tuple(one.frame + 1 for one in slices) if multi_frame else (),
        sheared=sheared,
        warnings=warnings,
        description=MappingProxyType(dict(described(ordered, chosen))),
    )


def _geometry(ordered: Stack, voxels: npt.NDArray[np.int16]) -> Geometry:
    first = ordered.slices[0]
    x, y, z = (float(coordinate) for coordinate in first.position)
    return Geometry(
        shape=_shape(voxels),
        spacing=(ordered.spacing, *first.pixel_spacing),
        origin=(x, y, z),
        direction=np.stack([first.row, first.column, ordered.normal], axis=1),
    )


def _shape(voxels: npt.NDArray[np.int16]) -> tuple[int, int, int]:
    z, y, x = voxels.shape
    return z, y, x

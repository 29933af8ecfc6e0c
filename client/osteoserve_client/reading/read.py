"""The one entry for every kind of input."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from osteoserve_client.errors import InputNotFoundError, NoImageError, UsageError
from osteoserve_client.reading.dicom.kinds import CT, Sought
from osteoserve_client.reading.dicom.reader import Scan, read_dicom, scan_files
from osteoserve_client.reading.dicom.tilt import shear_back
from osteoserve_client.reading.discretion import silenced_libraries
from osteoserve_client.reading.files import Progress, display_name, unreported
from osteoserve_client.reading.nifti import read_nifti
from osteoserve_client.reading.nrrd_metaimage import read_metaimage, read_nrrd
from osteoserve_client.reading.scintigraphy.choice import (
    Modality,
    list_of_files,
    modality_of_files,
)
from osteoserve_client.reading.scintigraphy.images import read_image
from osteoserve_client.reading.scintigraphy.kinds import SCINTIGRAM
from osteoserve_client.reading.scintigraphy.nuclear import read_nuclear
from osteoserve_client.scintigram import Scintigram
from osteoserve_client.study import SeriesSummary, Study

_FORMATS = {
    (".nii", ".nii.gz"): read_nifti,
    (".nrrd", ".nhdr"): read_nrrd,
    (".mha", ".mhd"): read_metaimage,
}
_VOLUMES = tuple(suffix for pair in _FORMATS for suffix in pair)
_IMAGES = (".png", ".tif", ".tiff")


class InputFiles:
    """What lies at a path; DICOM headers are read once, when they are first asked for.

    Args:
        path: A file or folder.
        only: Of a folder, the DICOM files that count, at whatever depth; None stands for all.
        on_progress: Called with units of work done and to do while headers are read.

    Raises:
        UsageError: The path does not exist.
    """

    def __init__(
        self,
        path: Path,
        *,
        only: Sequence[Path] | None = None,
        on_progress: Progress | None = None,
    ) -> None:
        self.path = Path(path)
        self._only = only
        self._on_progress = on_progress or unreported
        _check_exists(self.path)

    @classmethod
    def at(cls, source: Path | InputFiles, on_progress: Progress) -> InputFiles:
        """Those at a path, or the very ones that are given."""
        if isinstance(source, InputFiles):
            return source
        return cls(source, on_progress=on_progress)

    @cached_property
    def scan(self) -> Scan:
        """All DICOM images.

        Raises:
            NoImageError: There is none.
            UnreadableFileError: A DICOM file is damaged.
        """
        return self.scan_for(CT, self._on_progress)

    def scan_for(self, sought: Sought, on_progress: Progress) -> Scan:
        """All DICOM images, their headers read anew; errors as for ``scan``.

        Args:
            sought: Of what a file without pixels is refused, and not just left out.
            on_progress: Told of the headers as of the first half of the work.
        """
        with silenced_libraries():
            return scan_files(self.path, on_progress, sought=sought, only=self._only)


def read_study(
    source: Path | InputFiles,
    *,
    series: str | None = None,
    resample_tilt: bool = False,
    on_progress: Progress | None = None,
) -> Study:
    """Reads one CT volume, or says why it cannot be segmented safely.

    Args:
        source: A folder of DICOM files (nested in any way, with anything else among them), a single
            DICOM file, or a NIfTI (``.nii``, ``.nii.gz``), NRRD (``.nrrd``, ``.nhdr``) or
            MetaImage (``.mha``, ``.mhd``) file; or the `InputFiles` at one of these.
        series: Which DICOM series: a ``SeriesSummary.identifier`` or a Series Instance UID.
            Needed where there are several CT series.
        resample_tilt: Accept a tilted gantry and resample its slices onto a rectified grid:
            ``Study.sheared`` then says where the source's slices lie, and
            ``onto_source_slices`` brings a mask back to them.
        on_progress: Called with units of work done and to do.

    Returns:
        The volume in HU on the source's own grid, and what writing needs of its source.

    Raises:
        UsageError: The path or the series does not exist, or the choice of series is open.
        InputError: The input is refused; the subclass says why, the message where. Neither
            message nor warnings hold anything of the patient.
    """
    report = on_progress or unreported
    files = InputFiles.at(source, report)
    path = files.path
    for suffixes, read in _FORMATS.items():
        if path.is_file() and path.name.lower().endswith(suffixes):
            if series is not None:
                raise UsageError(f"{display_name(path, path)}: has no series to choose from")
            return read(path, display_name(path, path), on_progress=report)
    return read_dicom(files.scan, series=series, resample_tilt=resample_tilt, on_progress=report)


def read_scintigram(
    source: Path | InputFiles,
    *,
    view: str | None = None,
    series: str | None = None,
    on_progress: Progress | None = None,
) -> Scintigram:
    """Reads one planar whole-body bone scan, or says why its sides would not be certain.

    Args:
        source: A folder of DICOM files, a single DICOM file (Nuclear Medicine, or a secondary
            capture of it), or a grey PNG or TIFF image (``.png``, ``.tif``, ``.tiff``); or the
            `InputFiles` at one of these.
        view: "anterior", "posterior", "anterior,posterior" or "posterior,anterior": what the
            frames, pages or files show, in their order; or the halves of one frame from left to
            right. Needed where the file does not state it; must not contradict what it states.
        series: Which DICOM series, as for ``read_study``.
        on_progress: Called with units of work done and to do.

    Returns:
        Its views, each turned as its detector sees a patient whose head is up, and what writing
        needs of its source.

    Raises:
        UsageError: The path, series or view does not exist, or the choice of one is open.
        InputError: The input is refused; the subclass says why, the message where. Neither
            message nor warnings hold anything of the patient.
    """
    report = on_progress or unreported
    files = InputFiles.at(source, report)
    path = files.path
    if not is_image_file(path):
        scan = files.scan_for(SCINTIGRAM, report)
        return read_nuclear(scan, view=view, series=series, on_progress=report)
    name = display_name(path, path)
    if series is not None:
        raise UsageError(f"{name}: has no series to choose from")
    return read_image(path, name, view=view, on_progress=report)


def modality_of(source: Path | InputFiles, *, series: str | None = None) -> Modality:
    """Whether a path is read by ``read_study`` ("CT") or by ``read_scintigram`` ("NM").

    Args:
        source: What is to be segmented; `InputFiles` spare ``read_study`` a second look at headers.
        series: Which DICOM series, as for ``read_study``.

    Raises:
        UsageError: The path does not exist, or it holds both and no series was asked for.
        InputError: No DICOM image is there, or a file is damaged.
    """
    files = InputFiles.at(source, unreported)
    if is_image_file(files.path):
        return "NM"
    if is_volume_file(files.path):
        return "CT"
    with silenced_libraries():
        return modality_of_files(files.scan.images, series)


def list_series(path: Path) -> tuple[SeriesSummary, ...]:
    """The DICOM series in a folder or file, of every modality, in the order of their numbers.

    Raises:
        UsageError: The path does not exist.
        NoImageError: It holds no DICOM image.
        UnreadableFileError: A DICOM file in it is damaged.
    """
    files = InputFiles(path)
    if is_volume_file(files.path):
        name = display_name(files.path, files.path)
        raise NoImageError(f"{name}: is no DICOM file and has no series")
    with silenced_libraries():
        return list_of_files(files.scan.images)


def onto_source_slices(study: Study, labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """A mask on the slices that the study was read from, as ``Study.datasets`` describe them.

    Args:
        study: What the mask belongs to.
        labels: (Z, Y, X) uint8 on ``study.volume``'s grid.

    Returns:
        (Z, Y, X) uint8. The mask itself, except where tilted slices were resampled: then, for
        each pixel of the source's slices, the nearest label.

    Raises:
        ValueError: The mask has another shape than the volume.
    """
    if labels.shape != study.volume.geometry.shape:
        raise ValueError(f"labels are {labels.shape}, the volume {study.volume.geometry.shape}")
    if study.sheared is None:
        return labels
    return shear_back(labels, study.volume.geometry, study.sheared)


def is_volume_file(path: Path) -> bool:
    """Whether it is a CT volume other than DICOM, by its name."""
    return path.is_file() and path.name.lower().endswith(_VOLUMES)


def is_image_file(path: Path) -> bool:
    """Whether it is a picture that may show a bone scan, by its name."""
    return path.is_file() and path.name.lower().endswith(_IMAGES)


def _check_exists(path: Path) -> None:
    try:
        found = path.is_file() or path.is_dir()
    except OSError:
        found = False
    if not found:
        raise InputNotFoundError(f"there is no file or folder {display_name(path, path)}")

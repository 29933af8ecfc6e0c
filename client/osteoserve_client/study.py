"""What reading hands to the service client and to writing: a study and where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt
from nibabel.nifti1 import Nifti1Header
from pydicom import Dataset

from osteoserve_preprocessing.geometry import Volume

Source = Literal["dicom", "nifti", "nrrd", "metaimage"]
Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True)
class SeriesSummary:
    """One series in a folder, described without a word about the patient.

    Args:
        identifier: What ``series=`` (``--series``) takes to choose it: the Series Number, or,
            where several series share a number, the number, a dot and a count (``4.2``).
        modality: DICOM Modality, as "CT".
        slices: How many images it holds: files, or frames of a multi-frame file.
        rows: Image height in pixels.
        columns: Image width in pixels.
        refusal: Why it cannot be segmented, as "localizer"; empty when nothing speaks against it
            so far (slices are checked against each other only when the series is read).
        uid: Series Instance UID, which ``series=`` takes as well. Not for messages or logs.
    """

    identifier: str
    modality: str
    slices: int
    rows: int
    columns: int
    refusal: str = ""
    uid: str = field(default="", repr=False)


@dataclass(frozen=True, eq=False)
class ShearedGrid:
    """The slices of a tilted gantry as they lie in the patient: parallel, but sheared.

    The centre of voxel (k, j, i) lies at ``(affine @ (i, j, k, 1))[:3]`` in LPS, mm. The third
    column of the affine is not perpendicular to the first two, so this is no ``Geometry``.

    Args:
        shape: (Z, Y, X) of the source slices.
        affine: 4x4, from (i, j, k, 1) to (x, y, z, 1) in LPS, mm.
    """

    shape: tuple[int, int, int]
    affine: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Study:
    """One CT volume as it was read, with what is needed to write a mask back onto its source.

    Args:
        volume: Voxels (Z, Y, X) int16 in HU, and where they lie. The axes are the source's own,
            nothing is flipped or permuted. DICOM: i and j run along the rows and columns as
            stored, k along cross(row direction, column direction), so the direction matrix is
            right-handed. NIfTI, NRRD, MetaImage: (Z, Y, X) are the file's third, second and first
            axis, and the direction matrix may be left-handed.
        modality: "CT".
        source: Which kind of file it came from.
        datasets: DICOM: one dataset without pixel data per slice, in volume order; for a
            multi-frame image its single dataset. Empty for the others.
        frames: Multi-frame DICOM: number of the frame (from 1) of each slice, in volume order.
            Empty for the others.
        image: NIfTI: the source's header, free text blanked. ``Nifti1Image(array, None,
            header=study.image)`` is saved with the source's affine, sform and qform, bit for bit.
        sheared: The source's slices, when a tilted gantry was resampled away: then ``volume`` is
            a rectified, larger grid, and ``reading.onto_source_slices(study, labels)`` brings a
            mask back onto the slices that the datasets describe. None otherwise.
        warnings: One line each, for the report; nothing of the patient.
        description: What is known of the acquisition, for the report; nothing of the patient.
    """

    volume: Volume
    source: Source
    modality: str = "CT"
    # Their representation holds the patient.
    datasets: tuple[Dataset, ...] = field(default=(), repr=False)
    frames: tuple[int, ...] = ()
    image: Nifti1Header | None = None
    sheared: ShearedGrid | None = None
    warnings: tuple[str, ...] = ()
    description: Mapping[str, Json] = field(default_factory=lambda: MappingProxyType({}))

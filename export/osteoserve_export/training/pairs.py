"""Reading images and their labels for training, matched by where they lie in the patient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import SimpleITK

from osteoserve_export.errors import PairError
from osteoserve_preprocessing.core import canonical_orientation
from osteoserve_preprocessing.geometry import Geometry, Volume

#: Target values of a voxel. What is ``IGNORED`` enters no loss and no figure.
BACKGROUND, BONE, IGNORED = 0, 1, 255

IMAGE_NAMES = ("image", "dicom", "image.nii.gz", "image.nii", "image.nrrd", "image.mha")
LABEL_NAMES = ("labels.nii.gz", "labels.nii", "labels.nrrd", "labels.mha")

#: Share of the image that its labels must cover; the rest is ignored.
LEAST_OVERLAP = 0.5


@dataclass(frozen=True, eq=False)
class TrainingPair:
    """A CT and what is known about its skeleton.

    Args:
        name: How the recipe calls it; no patient data.
        volume: Canonical, HU.
        target: (Z, Y, X) uint8 on the volume's grid: 0 background, 1 bone, 255 ignored.

    Raises:
        PairError: The shapes differ, or the target holds another value.
    """

    name: str
    volume: Volume
    target: npt.NDArray[np.uint8]

    def __post_init__(self) -> None:
        if self.target.shape != self.volume.geometry.shape:
            raise PairError(f"{self.name}: target and image have different shapes")
        values = set(np.unique(self.target).tolist())
        if self.target.dtype != np.uint8 or not values <= {BACKGROUND, BONE, IGNORED}:
            raise PairError(f"{self.name}: target must be uint8 0, 1 or 255, not {sorted(values)}")


def read_image(path: Path) -> SimpleITK.Image:
    """Read a CT with its place in the patient.

    Args:
        path: DICOM folder of one series, or a single DICOM, NIfTI, NRRD or MetaImage file.

    Returns:
        A scalar 3-D image.

    Raises:
        PairError: Nothing is there, several series are, or it is no scalar 3-D image.
    """
    if path.is_dir():
        image = _read_series(path)
    elif path.is_file():
        try:
            image = SimpleITK.ReadImage(str(path))
        except RuntimeError as error:
            raise PairError(f"{path} is no image that can be read") from error
    else:
        raise PairError(f"no image at {path}")
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise PairError(f"{path} is no scalar 3-D image")
    return image


def _read_series(folder: Path) -> SimpleITK.Image:
    series = SimpleITK.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    if len(series) != 1:
        raise PairError(f"{folder} holds {len(series)} DICOM series; exactly one is needed")
    reader = SimpleITK.ImageSeriesReader()
    # GDCM orders the files by position along the slice normal, not by name or number.
    reader.SetFileNames(SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), series[0]))
    series_image: SimpleITK.Image = reader.Execute()
    return series_image


def canonical_volume(image: SimpleITK.Image) -> Volume:
    """Turn an image into a canonical volume.

    Args:
        image: Scalar, 3-D, HU.

    Returns:
        The same voxels with axes ordered and flipped to left, back and head.
    """
    voxels = np.clip(np.rint(SimpleITK.GetArrayViewFromImage(image)), -32768, 32767).astype(
        np.int16
    )
    geometry = _geometry(image)
    return canonical_orientation(geometry).volume(Volume(voxels.astype(np.int16), geometry))


def read_labels(
    path: Path, image: SimpleITK.Image, bone: Sequence[tuple[int, int]]
) -> SimpleITK.Image:
    """Read labels and bring them onto the image's grid.

    Labels are matched by physical position: a file may store its rows the other way round.

    Args:
        path: Label file that ITK can read.
        image: The CT whose grid they are wanted on.
        bone: Inclusive ranges of label values that are bone.

    Returns:
        uint8 image on the CT's grid: 0 background, 1 bone, 255 outside the label file's grid or
        where the file says 255.

    Raises:
        PairError: Nothing is there, or the labels cover less than half of the image.
    """
    if not path.is_file():
        raise PairError(f"no labels at {path}")
    labels = SimpleITK.ReadImage(str(path))
    values = SimpleITK.GetArrayFromImage(labels)
    target = np.zeros(values.shape, dtype=np.uint8)
    for lowest, highest in bone:
        target[(values >= lowest) & (values <= highest)] = BONE
    target[values == IGNORED] = IGNORED
    mapped = SimpleITK.GetImageFromArray(target)
    mapped.CopyInformation(labels)
    matched = SimpleITK.Resample(
        mapped,
        image,
        SimpleITK.Transform(),
        SimpleITK.sitkNearestNeighbor,
        float(IGNORED),
        SimpleITK.sitkUInt8,
    )
    outside = float((SimpleITK.GetArrayViewFromImage(matched) == IGNORED).mean())
    if outside > 1.0 - LEAST_OVERLAP:
        raise PairError(f"{path} says nothing about {outside:.0%} of its image")
    return matched


def read_pair(
    name: str, image: Path, labels: Path, *, bone: Sequence[tuple[int, int]] = ((1, 254),)
) -> TrainingPair:
    """Read one pair.

    Args:
        name: How to call it; no patient data.
        image: What ``read_image`` takes.
        labels: What ``read_labels`` takes.
        bone: Inclusive ranges of label values that are bone.

    Returns:
        The pair, canonical.

    Raises:
        PairError: One of the two cannot be used, or they do not lie in the same place.
    """
    ct = read_image(image)
    target = read_labels(labels, ct, bone)
    orientation = canonical_orientation(_geometry(ct))
    array = np.ascontiguousarray(orientation.apply(SimpleITK.GetArrayFromImage(target)))
    return TrainingPair(name, canonical_volume(ct), array)


def find_pairs(folder: Path) -> tuple[TrainingPair, ...]:
    """Read every pair in a folder of study folders.

    Args:
        folder: Each subfolder is a study: ``image/`` or ``dicom/`` (DICOM) or ``image.nii.gz``,
            and ``labels.nii.gz`` beside it; every value from 1 to 254 is bone, 255 is ignored.

    Returns:
        The pairs, ordered by name.

    Raises:
        PairError: There is none, or one lacks its image or its labels.
    """
    studies = sorted(path for path in folder.iterdir() if path.is_dir())
    if not studies:
        raise PairError(f"{folder} holds no study folders")
    return tuple(
        read_pair(study.name, _first(study, IMAGE_NAMES), _first(study, LABEL_NAMES))
        for study in studies
    )


def _first(study: Path, names: Sequence[str]) -> Path:
    for name in names:
        if (study / name).exists():
            return study / name
    raise PairError(f"{study} holds none of {', '.join(names)}")


def _geometry(image: SimpleITK.Image) -> Geometry:
    return Geometry(
        shape=image.GetSize()[::-1],
        spacing=image.GetSpacing()[::-1],
        origin=image.GetOrigin(),
        direction=np.array(image.GetDirection()).reshape(3, 3),
    )

"""Finds the label maps of studies, and the prediction that belongs to each reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from osteoserve_client.errors import InputNotFoundError, NoImageError, StudyMatchError
from osteoserve_client.evaluation.label_images import INDEX, read_label_images, read_label_index
from osteoserve_client.evaluation.label_maps import LabelMap
from osteoserve_client.evaluation.label_volumes import METAIMAGE, NIFTI, NRRD, read_label_volume
from osteoserve_client.evaluation.names import reported_names
from osteoserve_client.evaluation.segmentation_objects import read_segmentation_object
from osteoserve_client.reading.files import display_name
from osteoserve_client.writing.output_names import LABEL_IMAGES

Form = Literal["volume", "segmentation", "images", "index"]

_DICOM: Final = (".seg.dcm", ".dcm")
#: In the order in which they are preferred where one study has several.
_SUFFIXES: Final = (*NIFTI, *NRRD, *METAIMAGE, *_DICOM)
#: What label maps are called inside a study's own folder; `osteoserve segment` writes the latter.
REFERENCE_STEMS: Final = ("labels", "skeleton")
PREDICTION_STEMS: Final = ("skeleton", "labels")
_IMAGES: Final = ("dicom", "image", *(f"image{suffix}" for suffix in _SUFFIXES[:-2]), "image.dcm")


@dataclass(frozen=True)
class Entry:
    """One study's label map on disk.

    Args:
        study: The study's name: that of its folder or file.
        form: What kind of file.
        path: The file; for ``images`` the folder.
        home: The study's own folder, in which its images may lie; None where several share one.
        shown: How messages call the path.
    """

    study: str
    form: Form
    path: Path
    home: Path | None
    shown: str

    @property
    def planar(self) -> bool:
        """Whether it belongs to a bone scan."""
        return self.form in ("images", "index")

    def read(self) -> LabelMap:
        """Read it.

        Raises:
            InputError: It is damaged, or no label map.
        """
        if self.form == "index":
            return read_label_index(self.path, self.shown)
        if self.form == "segmentation":
            return read_segmentation_object(self.path, self.shown)
        folder = self.path if self.form == "images" else self.path.parent
        names = reported_names(folder, self.shown)
        if self.form == "images":
            return read_label_images(self.path, self.shown, names)
        return read_label_volume(self.path, self.shown, names)

    def image(self) -> Path:
        """The image that it was drawn on: ``dicom``, ``image`` or ``image.*`` beside it.

        Raises:
            NoImageError: There is none.
        """
        if self.home is not None:
            for name in _IMAGES:
                if (self.home / name).exists():
                    return self.home / name
        raise NoImageError(
            f"{self.study}: there is no image to segment: 'dicom' or 'image' (a folder or file) "
            "must lie beside the reference, in a folder of the study's own"
        )


@dataclass(frozen=True)
class Entries:
    """The label maps of one side.

    Args:
        by_study: In the order of the studies' names.
        single: Whether one study was given, not a folder of studies.
    """

    by_study: Mapping[str, Entry]
    single: bool


def find_label_maps(root: Path, stems: tuple[str, ...]) -> Entries:
    """Find the label maps of one study or of a folder of studies.

    A study is a label map by itself, called STUDY.nii.gz (or another suffix), or a folder STUDY
    that holds ``labels`` or ``skeleton`` (with such a suffix), ``labels_anterior.png`` or
    ``labels_posterior.png``, ``regions.json``, ``labels/regions.json``, or else a single file
    that may be a label map.

    Args:
        root: A file, a study's folder, or a folder of studies.
        stems: Which name is preferred where a folder holds both.

    Raises:
        InputNotFoundError: The path does not exist.
        StudyMatchError: Nothing is found, a study has two label maps, or CT is mixed with bone
            scans.
    """
    if not root.exists():
        raise InputNotFoundError(f"there is no file or folder {display_name(root, root)}")
    one = _file(root, root, root.parent) if root.is_file() else _folder(root, root, stems)
    found = [one] if one else _folder_of_studies(root, stems)
    if not found:
        raise StudyMatchError(f"{display_name(root, root)}: holds no label map of a known form")
    if len({entry.planar for entry in found}) > 1:
        raise StudyMatchError(f"{display_name(root, root)}: mixes CT and bone scans")
    return Entries(_by_study(found), single=one is not None)


def match(references: Entries, predictions: Entries) -> tuple[tuple[Entry, Entry], ...]:
    """Every reference with its prediction.

    Two single studies belong together whatever they are called; otherwise names must be equal.

    Args:
        references: What is true; each must have a prediction.
        predictions: What was found; there may be more of them.

    Raises:
        StudyMatchError: A reference has no prediction, or one is of a CT, the other a bone scan.
    """
    if references.single and predictions.single:
        pairs = list(zip(references.by_study.values(), predictions.by_study.values(), strict=True))
    else:
        missing = [name for name in references.by_study if name not in predictions.by_study]
        if missing:
            raise StudyMatchError(f"no prediction belongs to the reference of {_listed(missing)}")
        pairs = [(entry, predictions.by_study[n]) for n, entry in references.by_study.items()]
    for reference, prediction in pairs:
        if reference.planar != prediction.planar:
            raise StudyMatchError(
                f"{reference.study}: one of reference and prediction is of a CT, the other of a "
                "bone scan"
            )
    return tuple(pairs)


def unreferenced(references: Entries, predictions: Entries) -> str:
    """The studies that have a prediction and no reference, as a list for people; or nothing."""
    if references.single and predictions.single:
        return ""
    return _listed([name for name in predictions.by_study if name not in references.by_study])


def _folder_of_studies(root: Path, stems: tuple[str, ...]) -> list[Entry]:
    found: list[Entry] = []
    for path in sorted(root.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_file() and _stem(path):
            found.append(_file(path, root, None))
        elif path.is_dir():
            entry = _folder(path, root, stems) or _only_file(path, root)
            found += [entry] if entry else []
    return found


def _folder(folder: Path, root: Path, stems: tuple[str, ...]) -> Entry | None:
    """The label map of a study's own folder, where it has one of the known names."""
    name = _one_line(folder.resolve().name)
    for stem in stems:
        for suffix in _SUFFIXES:
            if (folder / f"{stem}{suffix}").is_file():
                return _file(folder / f"{stem}{suffix}", root, folder, name)
    for index in (folder / INDEX, folder / "labels" / INDEX):
        if index.is_file():
            return Entry(name, "index", index, folder, display_name(index, root))
    if any((folder / file).is_file() for file in LABEL_IMAGES.values()):
        return Entry(name, "images", folder, folder, display_name(folder, root))
    return None


def _only_file(folder: Path, root: Path) -> Entry | None:
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and _stem(path)]
    if len(files) > 1:
        raise StudyMatchError(
            f"{display_name(folder, root)}: holds several files that may be its label map: call "
            "the right one labels.nii.gz (or another suffix)"
        )
    return _file(files[0], root, folder, _one_line(folder.name)) if files else None


def _file(path: Path, root: Path, home: Path | None, study: str = "") -> Entry:
    stem = _stem(path)
    if path.name == INDEX:
        return Entry(_own_name(path), "index", path, _study_folder(path), display_name(path, root))
    if not stem:
        raise StudyMatchError(f"{display_name(path, root)}: is no label map of a known form")
    if not study:
        study = _own_name(path) if stem in REFERENCE_STEMS else _one_line(stem)
    form: Form = "segmentation" if path.name.lower().endswith(_DICOM) else "volume"
    return Entry(study, form, path, home, display_name(path, root))


def _own_name(path: Path) -> str:
    return _one_line(_study_folder(path).resolve().name)


def _one_line(name: str) -> str:
    return display_name(Path(name), Path(name))


def _study_folder(path: Path) -> Path:
    folder = path.parent
    return folder.parent if path.name == INDEX and folder.name == "labels" else folder


def _stem(path: Path) -> str:
    """The name without the suffix of a label map; empty where it has none."""
    for suffix in _SUFFIXES:
        if path.name.lower().endswith(suffix):
            return path.name[: -len(suffix)]
    return ""


def _by_study(found: list[Entry]) -> dict[str, Entry]:
    by_study: dict[str, Entry] = {}
    for entry in sorted(found, key=lambda entry: entry.study):
        if entry.study in by_study:
            both = f"{by_study[entry.study].shown} and {entry.shown}"
            raise StudyMatchError(f"{entry.study}: has two label maps, {both}")
        by_study[entry.study] = entry
    return by_study


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more

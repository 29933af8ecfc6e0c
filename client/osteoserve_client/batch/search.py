"""What lies in folders becomes jobs: each series that is a CT study or a bone scan, each volume.

Headers are read one by one and let go at once: an archive's do not fit into memory. Whatever
cannot be read becomes a job as well, or part of one, and is refused when its turn comes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from osteoserve_client.batch.candidates import BatchInput, input_of_files, input_of_one
from osteoserve_client.batch.copies import copies
from osteoserve_client.errors import InputError, InputNotFoundError, OsteoserveError
from osteoserve_client.reading.dicom.attributes import integer, text
from osteoserve_client.reading.dicom.headers import DicomFile, read_header
from osteoserve_client.reading.dicom.kinds import CT, is_image, modality, shown_modality
from osteoserve_client.reading.discretion import silenced_libraries
from osteoserve_client.reading.files import Progress, display_name, files_below
from osteoserve_client.reading.read import is_image_file, is_volume_file
from osteoserve_client.reading.scintigraphy.choice import choose_scan
from osteoserve_client.reading.scintigraphy.kinds import SCINTIGRAM

#: What calls itself DICOM by its name, and is refused where it is none.
_DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
_SOUGHT = {"CT": CT, "NM": SCINTIGRAM}


@dataclass(frozen=True)
class Found:
    """What a search found.

    Args:
        inputs: By key, in the order in which they lie.
        passed_over: How many series are neither CT study nor bone scan, by what they are.
        copies: How many volumes are copies of others.
        copied_images: How many DICOM files are.
    """

    inputs: Mapping[str, BatchInput]
    passed_over: Mapping[str, int]
    copies: int
    copied_images: int


@dataclass(frozen=True)
class _Image:
    """What is kept of a header: no dataset."""

    path: Path
    uid: str
    study: str
    instance: str
    number: int | None
    modality: str
    refusal: str

    @property
    def series(self) -> tuple[str, ...]:
        """Tells its series; by folder and number where anonymisation blanked the UID."""
        if self.uid:
            return (self.modality, self.uid)
        return (self.modality, "", str(self.path.parent), str(self.number))


def find_inputs(given: Sequence[Path], *, out: Path, on_progress: Progress) -> Found:
    """Search files and folders.

    Args:
        given: Files and folders; what several of them hold counts once.
        out: Folder of the batch, in which nothing is searched.
        on_progress: Called with files looked at and to look at.

    Raises:
        InputNotFoundError: One of them does not exist, or a folder may not be read.
    """
    check_exist(given)
    belongs = [_files(path, out) for path in given]
    files = {identity: path for one in belongs for identity, path in one.items()}
    volumes = [path for path in files.values() if is_volume_file(path)]
    # A picture in a folder is rarely a bone scan; one that is given is meant.
    pictures = [path for path in files.values() if is_image_file(path) and path in given]
    others = [p for p in files.values() if not is_volume_file(p) and not is_image_file(p)]
    with silenced_libraries():
        images, unreadable, scans = _headers(others, on_progress)
        copied = copies((image.instance, image.path) for image in images)
        merged = _merged([scan for scan in scans if scan.path not in copied])
    inputs = [input_of_one(path, "CT") for path in volumes]
    inputs += [input_of_one(path, "NM") for path in pictures]
    originals = [image for image in images if image.path not in copied]
    of_series, passed_over = _series(originals, unreadable, merged)
    inputs += of_series
    used = {path for one in inputs for path in (*one.files, one.root)}
    left = defaultdict(list)
    for path in unreadable - used:
        left[path.parent].append(path)
    inputs += [input_of_files(sorted(paths), None, ()) for paths in left.values()]
    used |= unreadable | copied
    for path, own in zip(given, belongs, strict=True):
        if not used.intersection(files[identity] for identity in own):
            inputs.append(input_of_files(sorted(own.values()), None, (), root=path))
    by_key: dict[str, BatchInput] = {}
    for one in sorted(inputs, key=lambda one: (one.root, one.files)):
        by_key.setdefault(one.key, one)
    return Found(by_key, passed_over, len(inputs) - len(by_key), len(copied))


def check_exist(given: Sequence[Path]) -> None:
    """Refuse a path that leads nowhere, before anything is done.

    Raises:
        InputNotFoundError: There is one.
    """
    for path in given:
        if not (path.is_file() or path.is_dir()):
            raise InputNotFoundError(f"there is no file or folder {display_name(path, path)}")


def _files(path: Path, out: Path) -> dict[tuple[int, int], Path]:
    """Files by what tells one from another, whatever its name."""
    outputs = out.resolve()
    paths = files_below(path) if path.is_dir() else [path]
    return {
        (status.st_dev, status.st_ino): each
        for each in paths
        if not each.resolve().is_relative_to(outputs)
        for status in [each.stat()]
    }


def _headers(
    paths: Sequence[Path], on_progress: Progress
) -> tuple[list[_Image], set[Path], list[DicomFile]]:
    """Images, files that cannot be read, and headers of what may be bone scans."""
    images, unreadable, scans = [], set(), []
    for done, path in enumerate(paths, start=1):
        try:
            file = _read(path)
            if file is not None:
                image = _image(file)
                images.append(image)
                if image.modality == "NM" and not image.refusal:
                    scans.append(file)
        except InputError:
            unreadable.add(path)
        on_progress(done, len(paths))
    return images, unreadable, scans


def _read(path: Path) -> DicomFile | None:
    file = read_header(path, path.name)
    if file is None:
        if path.suffix.lower() in _DICOM_SUFFIXES:
            raise InputError(f"{path.name}: is no DICOM file, though its name says so")
        return None
    return file if is_image(file, _SOUGHT.get(modality(file), CT)) else None


def _image(file: DicomFile) -> _Image:
    kind = shown_modality(file)
    sought = _SOUGHT.get(kind, CT)
    refusal = sought.refusal(file)
    return _Image(
        path=file.path,
        uid=text(file.dataset, "SeriesInstanceUID", file.name),
        study=text(file.dataset, "StudyInstanceUID", file.name),
        instance=text(file.dataset, "SOPInstanceUID", file.name),
        number=integer(file.dataset, "SeriesNumber", file.name),
        modality=kind,
        refusal="" if refusal is None else sought.words.get(type(refusal), kind),
    )


def _merged(scans: Sequence[DicomFile]) -> dict[Path, Path]:
    """Files of a view whose other view is in a series of its own, with that view's file."""
    studies = defaultdict(list)
    for file in scans:
        study = text(file.dataset, "StudyInstanceUID", file.name)
        if study:
            studies[study].append(file)
    found = {}
    for files in studies.values():
        try:
            chosen = choose_scan(files, None)
        except OsteoserveError:
            # Several scans: each is a job, and says itself what is wrong with it.
            continue
        if len(chosen) == 2:
            first, second = (one.slices[0].path for one in chosen)
            found[second] = first
    return found


def _series(
    images: Sequence[_Image], unreadable: set[Path], merged: Mapping[Path, Path]
) -> tuple[list[BatchInput], Counter[str]]:
    """Inputs of the series that can be segmented, and how many others there are of each kind."""
    series_of = {image.path: image.series for image in images}
    groups: defaultdict[tuple[str, ...], list[_Image]] = defaultdict(list)
    for image in images:
        groups[series_of[merged.get(image.path, image.path)]].append(image)
    inputs, passed_over = [], Counter[str]()
    for members in groups.values():
        if all(image.refusal for image in members):
            passed_over[members[0].refusal] += 1
            continue
        paths = [image.path for image in members]
        # It may be one of their slices: a series is not segmented while that is open.
        folders = {path.parent for path in paths}
        doubtful = {path for path in unreadable if path.parent in folders}
        inputs.append(
            input_of_files(
                sorted({*paths, *doubtful}),
                members[0].modality,
                tuple(_identity(members)),
                number=members[0].number,
            )
        )
    return inputs, passed_over


def _identity(members: Sequence[_Image]) -> Iterator[str]:
    """What tells the series from all others wherever its files lie."""
    if all(image.uid for image in members):
        yield from ("series", *sorted({image.uid for image in members}))
    elif all(image.instance for image in members):
        yield from ("instances", *sorted(image.instance for image in members))

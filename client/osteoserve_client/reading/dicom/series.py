"""Sorts DICOM files into series, and finds the one that is meant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from osteoserve_client.errors import (
    InputError,
    LocalizerError,
    ModalityError,
    NoImageError,
    SeriesChoiceError,
)
from osteoserve_client.reading.dicom.attributes import integer, text
from osteoserve_client.reading.dicom.consistency import size
from osteoserve_client.reading.dicom.headers import DicomFile
from osteoserve_client.reading.dicom.kinds import CT, Sought, modality, shown_modality
from osteoserve_client.study import SeriesSummary

#: Series that one message lists at most.
_LISTED = 20
#: Stands for an absent Series Number; sorts behind every real one.
_NO_NUMBER = 1 << 31


@dataclass(frozen=True, eq=False)
class Series:
    """The images of one series.

    Args:
        summary: What may be said of it.
        slices: Those that may be what is sought: CT slices, or whole-body scans.
        localizers: Those that are localizers.
        refused: Why each of the others cannot.
    """

    summary: SeriesSummary
    slices: tuple[DicomFile, ...]
    localizers: tuple[DicomFile, ...]
    refused: tuple[InputError, ...]


def sort_into_series(files: Sequence[DicomFile], sought: Sought = CT) -> tuple[Series, ...]:
    """Groups images by Series Instance UID and modality, in the order of their Series Numbers.

    The order of the files does not matter. Where anonymisation blanked the UID, the Series
    Number takes its place.

    Args:
        files: All images.
        sought: What the series are judged by; identifiers do not depend on it.
    """
    groups: dict[tuple[str, str, int], list[DicomFile]] = defaultdict(list)
    for file in files:
        uid = text(file.dataset, "SeriesInstanceUID", file.name)
        groups[uid, modality(file), 0 if uid else _number(file)].append(file)
    ordered = sorted(groups.items(), key=lambda group: (_number(group[1][0]), group[0]))
    identifiers = _identifiers([_number(members[0]) for _, members in ordered])
    return tuple(
        _series(identifier, key[0], members, sought)
        for identifier, (key, members) in zip(identifiers, ordered, strict=True)
    )


def choose_series(series: Sequence[Series], wanted: str | None, sought: Sought = CT) -> Series:
    """The series asked for, or the only one that can be what is sought.

    Args:
        series: All that there are.
        wanted: An identifier of a summary, a Series Instance UID, or None.
        sought: What they were judged by.

    Raises:
        SeriesChoiceError: There are several and none was asked for, or not one of them.
        InputError: None can be segmented, or not the one that was asked for; for CT a
            LocalizerError, DerivedImageError, PixelFormatError or ModalityError.
        NoImageError: There is no image at all.
    """
    usable = [one for one in series if one.slices]
    if wanted is not None:
        return _wanted(series, wanted, sought)
    if len(usable) > 1:
        raise SeriesChoiceError(
            f"there are {len(usable)} {sought.title} series; choose one with --series: "
            f"{listed(usable)}"
        )
    if not usable:
        raise nothing_usable(series, sought)
    return usable[0]


def _wanted(series: Sequence[Series], wanted: str, sought: Sought) -> Series:
    found = [one for one in series if wanted in (one.summary.identifier, one.summary.uid)]
    if len(found) != 1:
        raise SeriesChoiceError(f"the series asked for is not among: {listed(series)}")
    if not found[0].slices:
        raise nothing_usable(found, sought)
    return found[0]


def nothing_usable(series: Sequence[Series], sought: Sought) -> InputError:
    """The refusal that tells most: of what is CT and yet no slice, rather than of what is not."""
    refused = [error for one in series for error in one.refused]
    for kind in sought.words:
        for error in refused:
            if isinstance(error, kind):
                return error
    if not refused:
        return NoImageError("there is no DICOM image")
    return ModalityError(f"there is no {sought.title}: {listed(series)}")


def listed(series: Sequence[Series]) -> str:
    """The series in one line, for a message."""
    lines = [
        f"{one.identifier} ({one.modality or 'no modality'}, {one.slices} image"
        f"{'s' if one.slices != 1 else ''} of {one.rows}x{one.columns}"
        f"{', ' + one.refusal if one.refusal else ''})"
        for one in (each.summary for each in series)
    ]
    more = [f"and {len(lines) - _LISTED} more"] if len(lines) > _LISTED else []
    return ", ".join(lines[:_LISTED] + more)


def _series(identifier: str, uid: str, files: Sequence[DicomFile], sought: Sought) -> Series:
    refusals = [(file, sought.refusal(file)) for file in files]
    slices = tuple(file for file, error in refusals if error is None)
    errors = tuple(error for _, error in refusals if error is not None)
    shown = slices or tuple(files)
    rows, columns = size(shown[0])
    summary = SeriesSummary(
        identifier=identifier,
        modality=shown_modality(shown[0]),
        slices=sum(_frames(file) for file in shown),
        rows=rows,
        columns=columns,
        refusal="" if slices else sought.words.get(type(errors[0]), sought.other),
        uid=uid,
    )
    localizers = tuple(file for file, error in refusals if isinstance(error, LocalizerError))
    return Series(summary, slices, localizers, errors)


def _frames(file: DicomFile) -> int:
    return integer(file.dataset, "NumberOfFrames", file.name) or 1


def _number(file: DicomFile) -> int:
    number = integer(file.dataset, "SeriesNumber", file.name)
    return _NO_NUMBER if number is None else number


def _identifiers(numbers: Sequence[int]) -> list[str]:
    """Series Numbers as text, made unique: 3, 4.1, 4.2, none."""
    labels = ["none" if number == _NO_NUMBER else str(number) for number in numbers]
    return [
        f"{label}.{labels[:index].count(label) + 1}" if labels.count(label) > 1 else label
        for index, label in enumerate(labels)
    ]

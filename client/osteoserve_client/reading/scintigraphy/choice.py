"""Finds the one bone scan that is meant: a series, or two of one study with a view each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from osteoserve_client.errors import SeriesChoiceError
from osteoserve_client.reading.dicom.attributes import raw_text
from osteoserve_client.reading.dicom.headers import DicomFile
from osteoserve_client.reading.dicom.series import (
    Series,
    choose_series,
    listed,
    sort_into_series,
)
from osteoserve_client.reading.scintigraphy.frames import nuclear_frames
from osteoserve_client.reading.scintigraphy.kinds import SCINTIGRAM
from osteoserve_client.scintigram import VIEWS
from osteoserve_client.study import SeriesSummary

Modality = Literal["CT", "NM"]


def choose_scan(files: Sequence[DicomFile], wanted: str | None) -> tuple[Series, ...]:
    """The series that make up one scan.

    Args:
        files: All images that there are.
        wanted: A series' identifier or UID, or None.

    Returns:
        One series; or two of one study, an anterior and a posterior view, which some cameras keep
        in a series each.

    Raises:
        SeriesChoiceError: There are several scans and none was asked for, or not one of them.
        InputError: There is no whole-body bone scan, and why.
    """
    series = sort_into_series(files, SCINTIGRAM)
    usable = tuple(one for one in series if one.slices)
    if wanted is None and len(usable) == 2 and _complete_each_other(usable):
        return usable
    return (choose_series(series, wanted, SCINTIGRAM),)


def list_of_files(files: Sequence[DicomFile]) -> tuple[SeriesSummary, ...]:
    """All series, each judged by what is read of its modality."""
    stacks, scans = sort_into_series(files), sort_into_series(files, SCINTIGRAM)
    return tuple(
        scan.summary if scan.summary.modality == "NM" else stack.summary
        for scan, stack in zip(scans, stacks, strict=True)
    )


def modality_of_files(files: Sequence[DicomFile], wanted: str | None) -> Modality:
    """Which kind of study images are, by the series among them that can be segmented.

    Args:
        files: All images that there are.
        wanted: A series' identifier or UID, or None.

    Returns:
        "NM" for a bone scan, also for one that is refused where there is no CT; otherwise "CT",
        whose reader says what is wrong.

    Raises:
        SeriesChoiceError: There are CT slices and a bone scan, and no series was asked for.
    """
    scans = sort_into_series(files, SCINTIGRAM)
    stacks = sort_into_series(files)
    if wanted is not None:
        named = [one for one in scans if wanted in (one.summary.identifier, one.summary.uid)]
        return "NM" if len(named) == 1 and named[0].summary.modality == "NM" else "CT"
    usable = [
        scan if scan.slices else stack
        for scan, stack in zip(scans, stacks, strict=True)
        if scan.slices or stack.slices
    ]
    kinds = {one.summary.modality for one in usable or scans}
    if usable and len(kinds) > 1:
        raise SeriesChoiceError(
            f"there are CT slices and a bone scan; choose one with --series: {listed(usable)}"
        )
    return "NM" if "NM" in kinds and "CT" not in kinds else "CT"


def _complete_each_other(series: Sequence[Series]) -> bool:
    files = [file for one in series for file in one.slices]
    if len(files) != 2 or len({raw_text(file.dataset, "StudyInstanceUID") for file in files}) > 1:
        return False
    views = [frame.stored.stated for file in files for frame in nuclear_frames(file)]
    # Without a stated view, two series may as well be two scans of one view.
    return sorted(view or "" for view in views) == sorted(VIEWS)

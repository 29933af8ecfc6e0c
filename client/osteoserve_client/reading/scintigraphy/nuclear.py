"""Headers of DICOM files, and from them to a bone scan."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from osteoserve_client.errors import InconsistentViewsError, OrientationError
from osteoserve_client.reading.dicom.attributes import numbers
from osteoserve_client.reading.dicom.consistency import check_one_study, size
from osteoserve_client.reading.dicom.headers import DicomFile
from osteoserve_client.reading.dicom.reader import Scan, check_instances
from osteoserve_client.reading.dicom.stack import PIXEL_SPACING_TOLERANCE
from osteoserve_client.reading.discretion import silenced_libraries
from osteoserve_client.reading.files import Progress
from osteoserve_client.reading.scintigraphy.assembly import assumptions, check_sizes, turned_view
from osteoserve_client.reading.scintigraphy.choice import choose_scan
from osteoserve_client.reading.scintigraphy.frames import NuclearFrame, nuclear_frames
from osteoserve_client.reading.scintigraphy.kinds import is_secondary_capture
from osteoserve_client.reading.scintigraphy.orientation import Turn, agreed, turn_to
from osteoserve_client.reading.scintigraphy.remarks import described, file_remarks, unique
from osteoserve_client.reading.scintigraphy.stored_counts import read_counts
from osteoserve_client.reading.scintigraphy.view_statements import check_words
from osteoserve_client.reading.scintigraphy.views import PlacedView, place_views
from osteoserve_client.scintigram import PlanarView, Scintigram

Spacing = tuple[float, float]

AREAS_UNKNOWN = "the pixel spacing is not stated: areas are not known"
SPACING_AT_DETECTOR = (
    "the pixel spacing is that of the imager (Imager Pixel Spacing), not stated for the patient"
)


def read_nuclear(
    scan: Scan, *, view: str | None, series: str | None, on_progress: Progress
) -> Scintigram:
    """Reads one bone scan; see ``osteoserve_client.reading.read_scintigram``."""
    with silenced_libraries():
        chosen = choose_scan(scan.images, series)
        files = sorted((f for one in chosen for f in one.slices), key=lambda file: file.name)
        check_one_study(files)
        check_instances(files)
        frames = [frame for file in files for frame in nuclear_frames(file)]
        placed = place_views([frame.stored for frame in frames], view)
        for file in files:
            check_words(file, frozenset(p.view for p in placed if frames[p.frame].file is file))
        first = min(placed, key=lambda each: (each.frame, each.first_column))
        turns = [_turn(frames[each.frame], each, first, files, frames) for each in placed]
        spacing, spacing_remarks = _spacing(files)
        views, pixel_remarks = _views(files, frames, placed, turns)
        warnings = [
            *file_remarks(chosen, files, ignored=scan.ignored),
            *pixel_remarks,
            *assumptions(views, placed, turns),
            *spacing_remarks,
        ]
        done = 2 * (len(scan.images) + scan.ignored)
        on_progress(done, done)
        return Scintigram(
            views=views,
            pixel_spacing_mm=spacing,
            source="dicom",
            datasets=tuple(file.dataset for file in files),
            stored_shapes=tuple(size(file) for file in files),
            warnings=tuple(unique(warnings)),
            description=MappingProxyType(dict(described(chosen, files, views))),
        )


def _turn(
    frame: NuclearFrame,
    placed: PlacedView,
    first: PlacedView,
    files: Sequence[DicomFile],
    frames: Sequence[NuclearFrame],
) -> Turn | None:
    """What must be reversed of a frame; None where nothing is stated.

    Columns of the two views run to different sides, so what is stated for both can hold for one of
    them alone: the first that is stored. It says nothing of the other, and is taken where both
    then lie as their detectors see them.

    Raises:
        OrientationError: Statements contradict each other, or one is made for two views, by which
            the first would have to be turned.
    """
    name = frame.stored.name
    side_by_side = placed.columns < frame.stored.shape[1]
    detector, file = agreed(frame.by_detector, name), agreed(frame.by_file, name)
    if len(frames) > len(files) or side_by_side:
        shared = detector or file if side_by_side else (None if detector else file)
        if shared:
            if turn_to(first.view, shared) != Turn():
                raise OrientationError(
                    f"{name}: one orientation is stated for two views, and not that of the first "
                    "as its detector sees the patient; state one for each detector"
                )
            return None
        if file and detector and file.along_column != detector.along_column:
            raise OrientationError(f"{name}: stated orientations contradict each other")
        directions = detector
    else:
        directions = agreed((detector, file), name)
    return None if directions is None else turn_to(placed.view, directions)


def _views(
    files: Sequence[DicomFile],
    frames: Sequence[NuclearFrame],
    placed: Sequence[PlacedView],
    turns: Sequence[Turn | None],
) -> tuple[tuple[PlanarView, ...], list[str]]:
    """The views, and what there is to remark on their pixels."""
    found, remarks = [], []
    for each, turn in zip(placed, turns, strict=True):
        frame = frames[each.frame]
        counts, noted = read_counts(frame.file, frame.number, frame.stored.name)
        remarks += noted
        found.append(
            turned_view(
                each,
                counts,
                frame.stored.name,
                turn=turn,
                file=files.index(frame.file),
                frame=frame.number,
            )
        )
    check_sizes(found, [frames[each.frame].stored.name for each in placed])
    return tuple(found), remarks


def _spacing(files: Sequence[DicomFile]) -> tuple[Spacing | None, list[str]]:
    """(between rows, between columns), mm, and what there is to remark on it."""
    found = [_stated_spacing(file) for file in files]
    first, remarks = found[0]
    for file, (other, _) in zip(files[1:], found[1:], strict=True):
        alike = (first is None) == (other is None) and (
            first is None or np.allclose(first, other or 0, rtol=PIXEL_SPACING_TOLERANCE, atol=0)
        )
        if not alike:
            raise InconsistentViewsError(f"{files[0].name} and {file.name} differ in pixel spacing")
    return first, remarks


def _stated_spacing(file: DicomFile) -> tuple[Spacing | None, list[str]]:
    choices: list[tuple[str, list[str]]] = [("PixelSpacing", [])]
    if is_secondary_capture(file):
        choices.append(("ImagerPixelSpacing", [SPACING_AT_DETECTOR]))
    for keyword, remarks in choices:
        stated = numbers(file.dataset, keyword, file.name, 2)
        if stated is not None and min(stated) > 0:
            return (stated[0], stated[1]), remarks
    return None, [AREAS_UNKNOWN]

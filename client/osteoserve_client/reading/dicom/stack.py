"""Orders slices by where they lie, and refuses a stack with gaps, doubles or uneven steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from osteoserve_client.errors import (
    DuplicateSliceError,
    InconsistentSlicesError,
    IrregularSpacingError,
    MissingAttributeError,
    MissingSliceError,
)
from osteoserve_client.reading.dicom.slices import FloatArray, Slice

#: How far a distance, or a slice from its place, may be off, as a part of the spacing.
SPACING_TOLERANCE = 0.01
#: How far orientation cosines of two slices may differ; they are written with four decimals.
DIRECTION_TOLERANCE = 1e-3
#: How far pixel spacings of two slices may differ, relatively: 0.05 pixel over 512.
PIXEL_SPACING_TOLERANCE = 1e-4
#: Slices closer than this lie at the same place, whatever the spacing; mm.
SAME_PLACE_MM = 1e-3


@dataclass(frozen=True, eq=False)
class Stack:
    """Slices in order along their normal, at even distances.

    Args:
        slices: In the order in which they lie along ``normal``.
        normal: Unit vector in LPS: row direction x column direction.
        step: Vector from each slice's first pixel to the next one's in LPS, mm. Along the normal,
            except where the gantry was tilted.
        warnings: What is odd and yet no reason to refuse.
    """

    slices: tuple[Slice, ...]
    normal: FloatArray
    step: FloatArray
    warnings: tuple[str, ...] = ()

    @property
    def spacing(self) -> float:
        """Distance of neighbouring slices along the normal, mm."""
        return float(self.step @ self.normal)


def stack(slices: Sequence[Slice]) -> Stack:
    """Orders the slices and checks that they form one even stack.

    Neither file names nor instance numbers matter.

    Raises:
        InconsistentSlicesError: Orientation or pixel spacing differ, or slices are shifted
            within their plane.
        DuplicateSliceError: Two slices lie at the same place.
        MissingSliceError: There are gaps of whole multiples of the spacing.
        IrregularSpacingError: Distances differ otherwise by more than 1 %.
        MissingAttributeError: A single slice does not state its thickness.
    """
    _check_alike(slices)
    normal = slices[0].normal
    ordered = sorted(slices, key=lambda one: float(one.position @ normal))
    if len(ordered) == 1:
        return _single(ordered[0], normal)
    along = np.array([one.position for one in ordered]) @ normal
    _check_distances(ordered, along)
    step = (ordered[-1].position - ordered[0].position) / (len(ordered) - 1)
    spacing = float(step @ normal)
    _check_places(ordered, step, spacing)
    _check_declared(ordered, spacing)
    return Stack(tuple(ordered), normal, step, tuple(_warnings(ordered, spacing)))


def _check_alike(slices: Sequence[Slice]) -> None:
    first = slices[0]
    for other in slices[1:]:
        turned = max(np.abs(first.row - other.row).max(), np.abs(first.column - other.column).max())
        if turned > DIRECTION_TOLERANCE:
            raise InconsistentSlicesError(f"{first.name} and {other.name} differ in orientation")
        if not np.allclose(
            first.pixel_spacing, other.pixel_spacing, rtol=PIXEL_SPACING_TOLERANCE, atol=0
        ):
            raise InconsistentSlicesError(f"{first.name} and {other.name} differ in pixel spacing")


def _single(only: Slice, normal: FloatArray) -> Stack:
    thickness = only.thickness or only.declared_spacing
    if thickness is None or thickness <= 0:
        raise MissingAttributeError(
            f"{only.name}: is a single slice that does not state its SliceThickness"
        )
    warning = f"a single slice: its thickness, {thickness:g} mm, is taken as the spacing"
    return Stack((only,), normal, normal * thickness, (warning,))


def _check_distances(ordered: Sequence[Slice], along: FloatArray) -> None:
    gaps = np.diff(along)
    usual = float(np.sort(gaps)[(len(gaps) - 1) // 2])  # of two, 1 and 2 mm, the smaller
    for (before, after), gap in zip(pairwise(ordered), gaps, strict=True):
        if gap <= max(SAME_PLACE_MM, SPACING_TOLERANCE * float(gaps.max())):
            raise DuplicateSliceError(
                f"{before.name} and {after.name} lie at the same place; are these two volumes "
                "(phases, reconstructions) in one series?"
            )
    for (before, after), gap in zip(pairwise(ordered), gaps, strict=True):
        if abs(gap - usual) > SPACING_TOLERANCE * usual:
            _refuse_gap(before, after, float(gap), usual)


def _refuse_gap(before: Slice, after: Slice, gap: float, usual: float) -> None:
    places = round(gap / usual)
    if places >= 2 and abs(gap - places * usual) <= SPACING_TOLERANCE * usual * places:
        count = places - 1
        raise MissingSliceError(
            f"{count} slice{'s are' if count > 1 else ' is'} missing between {before.name} and "
            f"{after.name}, {_place(before)} and {_place(after)}: they lie {gap:.3f} mm apart, "
            f"other slices {usual:.3f} mm"
        )
    raise IrregularSpacingError(
        f"{before.name} and {after.name} lie {gap:.3f} mm apart, other slices {usual:.3f} mm"
    )


def _place(one: Slice) -> str:
    x, y, z = one.position
    return f"({x:.1f}, {y:.1f}, {z:.1f})"


def _check_places(ordered: Sequence[Slice], step: FloatArray, spacing: float) -> None:
    """Refuses what adds up over many slices, and slices shifted within their plane."""
    origin = ordered[0].position
    for index, one in enumerate(ordered):
        off = one.position - (origin + index * step)
        if np.linalg.norm(off) > SPACING_TOLERANCE * spacing:
            raise InconsistentSlicesError(
                f"{one.name} lies {np.linalg.norm(off):.3f} mm off the straight, even line "
                "through the first and last slice"
            )


def _check_declared(ordered: Sequence[Slice], spacing: float) -> None:
    """Refuses an even stack from which every second (third ...) slice was left out."""
    declared = ordered[0].declared_spacing
    if declared is None:
        return
    times = round(spacing / declared)
    if times >= 2 and abs(spacing - times * declared) <= SPACING_TOLERANCE * spacing:
        raise MissingSliceError(
            f"slices lie {spacing:.3f} mm apart, but {ordered[0].name} declares a Spacing Between "
            f"Slices of {declared:.3f} mm: {times - 1} of {times} slices are missing"
        )


def _warnings(ordered: Sequence[Slice], spacing: float) -> list[str]:
    found = []
    thickness, declared = ordered[0].thickness, ordered[0].declared_spacing
    if declared is not None and abs(declared - spacing) > SPACING_TOLERANCE * spacing:
        found.append(f"slices lie {spacing:.3f} mm apart, their header declares {declared:.3f} mm")
    if thickness is not None and spacing > (1 + SPACING_TOLERANCE) * thickness:
        found.append(
            f"slices are {thickness:g} mm thick and {spacing:.3f} mm apart: what lies between "
            "was not measured"
        )
    return found

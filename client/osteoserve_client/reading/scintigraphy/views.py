"""Gives each view its place among the stored frames: as they state it, or as it was said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from osteoserve_client.errors import UsageError, ViewChoiceError, ViewError
from osteoserve_client.scintigram import VIEWS, View

#: What the option may say.
CHOICES = ("anterior", "posterior", "anterior,posterior", "posterior,anterior")
#: How many times longer than wide the field of view of a whole-body scan is at most: halves of a
#: frame that holds one view would be twice as narrow.
LONGEST = 6.0


@dataclass(frozen=True)
class StoredFrame:
    """One image as it is stored.

    Args:
        name: How messages call it.
        shape: (rows, columns).
        stated: The view that the file itself states; None where it does not.
    """

    name: str
    shape: tuple[int, int]
    stated: View | None = None


@dataclass(frozen=True)
class PlacedView:
    """Where a view lies.

    Args:
        view: The view.
        frame: Index of its frame.
        first_column: Where it begins in the frame.
        columns: How wide it is.
        stated: Whether the file states it itself.
    """

    view: View
    frame: int
    first_column: int
    columns: int
    stated: bool


def views_of(option: str | None) -> tuple[View, ...]:
    """The views that an option names, in its order; empty for None.

    Raises:
        UsageError: It is none of ``CHOICES``.
    """
    if option is None:
        return ()
    plain = ",".join(part.strip() for part in option.lower().split(","))
    if plain not in CHOICES:
        raise UsageError(f"there is no view of that name; choose one of {' '.join(CHOICES)}")
    return cast("tuple[View, ...]", tuple(plain.split(",")))


def place_views(frames: Sequence[StoredFrame], option: str | None = None) -> tuple[PlacedView, ...]:
    """Which frame, or half of one, is which view; never guessed.

    Args:
        frames: One or two, in the order of files and of frames in them.
        option: The views in that order, or the two halves of one frame from left to right.

    Returns:
        One or two views, the anterior one first.

    Raises:
        UsageError: The option is none.
        ViewChoiceError: A frame states no view, and there is no option.
        ViewError: Frames and option contradict each other, or there are more than two views.
    """
    said = views_of(option)
    if len(frames) > len(VIEWS):
        raise ViewError(
            f"there are {len(frames)} frames, from {frames[0].name} to {frames[-1].name}; "
            "a bone scan has one anterior and one posterior view"
        )
    if len(said) == 2 and len(frames) == 1:
        placed = _halves(frames[0], said)
    else:
        placed = _whole(frames, said)
    if len({each.view for each in placed}) < len(placed):
        raise ViewError(
            f"{frames[0].name} and {frames[-1].name} are both the {placed[0].view} view"
        )
    return tuple(sorted(placed, key=lambda each: VIEWS.index(each.view)))


def _halves(frame: StoredFrame, said: tuple[View, ...]) -> list[PlacedView]:
    rows, columns = frame.shape
    if frame.stated is not None:
        raise ViewError(f"{frame.name}: states that it is one view, {frame.stated}, not two")
    if columns % 2 or rows > LONGEST * columns / 2:
        raise ViewError(
            f"{frame.name}: {rows}x{columns} pixels do not hold two views side by side; "
            "name the one that it shows"
        )
    half = columns // 2
    return [PlacedView(view, 0, n * half, half, stated=False) for n, view in enumerate(said)]


def _whole(frames: Sequence[StoredFrame], said: tuple[View, ...]) -> list[PlacedView]:
    if said and len(said) != len(frames):
        raise ViewError(
            f"{frames[0].name}: there are {len(frames)} frames, but {','.join(said)} "
            f"names {len(said)} view{'s' if len(said) > 1 else ''}"
        )
    placed = []
    for index, frame in enumerate(frames):
        named = said[index] if said else None
        if frame.stated and named and frame.stated != named:
            raise ViewError(f"{frame.name}: states that it is the {frame.stated} view, not {named}")
        view = frame.stated or named
        if view is None:
            raise ViewChoiceError(_which_option(frame, len(frames)))
        placed.append(PlacedView(view, index, 0, frame.shape[1], stated=frame.stated is not None))
    return placed


def _which_option(frame: StoredFrame, frames: int) -> str:
    if frames == 2:
        return (
            f"{frame.name}: does not state its view; say --view anterior,posterior or --view "
            "posterior,anterior, in the order of the frames"
        )
    return (
        f"{frame.name}: does not state its view; say --view anterior or --view posterior, or, "
        "where it holds both side by side, --view anterior,posterior or --view posterior,anterior"
    )

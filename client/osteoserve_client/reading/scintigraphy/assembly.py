"""From stored counts to the views of one scan, whatever file they came from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from osteoserve_client.errors import CountsError, InconsistentViewsError
from osteoserve_client.reading.scintigraphy.counts import air_is_bright
from osteoserve_client.reading.scintigraphy.orientation import Turn, seems_feet_up
from osteoserve_client.reading.scintigraphy.views import PlacedView
from osteoserve_client.scintigram import PlanarView

SIDES_ASSUMED = (
    "the file states no orientation of each view: the head was taken to be up, and sides to lie as "
    "the detector sees them"
)
FEET_UP = (
    "most counts lie in the lower half of the body: if its feet are up, sides are exchanged too"
)


def turned_view(
    placed: PlacedView,
    stored: npt.NDArray[np.uint16],
    name: str,
    *,
    turn: Turn | None,
    file: int = 0,
    frame: int = 1,
) -> PlanarView:
    """One view, cut out of its stored frame and turned as ``PlanarView`` says.

    Args:
        placed: Which view it is, and where it begins.
        stored: (Y, X) counts of the whole frame.
        name: How messages call the frame.
        turn: What must be reversed; None where nothing says so.
        file: Index of its file.
        frame: Its number in the file, from 1.

    Raises:
        CountsError: The view has no counts, or inverted grey.
    """
    cut = stored[:, placed.first_column : placed.first_column + placed.columns]
    if not cut.any():
        raise CountsError(f"{name}: has no counts in the {placed.view} view")
    if air_is_bright(cut):
        raise CountsError(
            f"{name}: the air around the patient is brighter than the patient: grey is inverted"
        )
    rows = turn is not None and turn.rows
    columns = turn is not None and turn.columns
    return PlanarView(
        view=placed.view,
        counts=np.ascontiguousarray(cut[:: -1 if rows else 1, :: -1 if columns else 1]),
        file=file,
        frame=frame,
        first_column=placed.first_column,
        rows_reversed=rows,
        columns_reversed=columns,
    )


def check_sizes(views: Sequence[PlanarView], names: Sequence[str]) -> None:
    """Refuses views that do not lie on one grid.

    Raises:
        InconsistentViewsError: They differ in rows or columns.
    """
    shapes = [view.counts.shape for view in views]
    if len(set(shapes)) > 1:
        sizes = [f"{name} ({y}x{x})" for name, (y, x) in zip(names, shapes, strict=True)]
        raise InconsistentViewsError(f"{' and '.join(sizes)} differ in size")


def assumptions(
    views: Sequence[PlanarView], placed: Sequence[PlacedView], turns: Sequence[Turn | None]
) -> list[str]:
    """One line for each thing that the file does not state itself.

    Args:
        views: The views.
        placed: Where each was found.
        turns: What was known of how each lies.
    """
    found = []
    said = [each.view for each in placed if not each.stated]
    if said:
        found.append(f"not stated by the file, but taken from --view: {' and '.join(said)}")
    if None in turns:
        found.append(SIDES_ASSUMED)
    if any(seems_feet_up(view.counts) for view, turn in zip(views, turns, strict=True) if not turn):
        found.append(FEET_UP)
    return found

"""How a stored frame must be turned so that its view lies as ``PlanarView`` says.

The head is up; columns run towards the patient's left in an anterior view, towards the right in a
posterior one. Flips are honoured, a mirrored display among them; a quarter turn is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from osteoserve_client.errors import OrientationError
from osteoserve_client.scintigram import View

#: Least cosine between a stated direction and the axis that it is taken for: 18 degrees.
LEAST_COSINE = 0.95


@dataclass(frozen=True)
class PlaneDirections:
    """Where rows and columns of a stored frame run in the patient.

    Args:
        along_row: "L" or "R": from the first column to the last.
        along_column: "F" or "H": from the first row to the last.
    """

    along_row: str
    along_column: str


@dataclass(frozen=True)
class Turn:
    """What must be reversed of a stored frame."""

    rows: bool = False
    columns: bool = False


def turn_to(view: View, directions: PlaneDirections) -> Turn:
    """The flips that bring a view into its place."""
    outward = "L" if view == "anterior" else "R"
    return Turn(rows=directions.along_column == "H", columns=directions.along_row != outward)


def from_patient_orientation(values: tuple[str, ...], name: str) -> PlaneDirections | None:
    """Directions by Patient Orientation (0020,0020); PS3.3 C.7.6.1.1.1.

    Args:
        values: Its values, such as ("L", "F"); a second letter of one ("LA") names a slight slant.
        name: How messages call the frame.

    Returns:
        None where it is empty.

    Raises:
        OrientationError: It is of no frontal plane with rows across the patient.
    """
    if not any(values):
        return None
    first = tuple(value[:1] for value in values)
    if len(first) != 2 or first[0] not in ("L", "R") or first[1] not in ("F", "H"):
        raise OrientationError(
            f"{name}: its Patient Orientation is not of an upright frontal view, with rows across "
            "the patient"
        )
    return PlaneDirections(*first)


def from_cosines(cosines: tuple[float, ...] | None, name: str) -> PlaneDirections | None:
    """Directions by Image Orientation (Patient) (0020,0037); PS3.3 C.7.6.2.1.1, LPS axes.

    Args:
        cosines: Six: of the first row, and of the first column.
        name: How messages call the frame.

    Returns:
        None where it is absent or all zero.

    Raises:
        OrientationError: It is of no frontal plane with rows across the patient.
    """
    if cosines is None or not any(cosines):
        return None
    row, column = _unit(cosines[:3]), _unit(cosines[3:])
    # Not "not <": NaN of a zero vector must be refused as well.
    if not (abs(row[0]) >= LEAST_COSINE and abs(column[2]) >= LEAST_COSINE):
        raise OrientationError(
            f"{name}: its Image Orientation is not of an upright frontal view, with rows across "
            "the patient"
        )
    return PlaneDirections("L" if row[0] > 0 else "R", "H" if column[2] > 0 else "F")


def agreed(stated: tuple[PlaneDirections | None, ...], name: str) -> PlaneDirections | None:
    """The one that all statements make; None where there is none.

    Raises:
        OrientationError: They contradict each other.
    """
    found = {each for each in stated if each is not None}
    if len(found) > 1:
        raise OrientationError(
            f"{name}: Patient Orientation and Image Orientation contradict each other"
        )
    return found.pop() if found else None


def seems_feet_up(counts: npt.NDArray[np.uint16]) -> bool:
    """Whether most of the body's counts lie in its lower half, as when a scan stands on its head.

    Head and trunk hold more than legs do: in the real scan and in phantoms the mean row lies 0.38
    to 0.48 of the way from head to feet. Scans that end at the knees can come above one half.

    Args:
        counts: (Y, X), the head believed up.
    """
    # Bladder and injection site can outweigh the skeleton.
    rows = np.minimum(counts, np.percentile(counts[counts > 0], 99)).sum(axis=1)
    occupied = np.flatnonzero(rows > 0.05 * rows.mean())
    mean_row = np.average(np.arange(len(rows)), weights=rows)
    return bool(mean_row > (occupied[0] + occupied[-1]) / 2)


def _unit(vector: tuple[float, ...]) -> npt.NDArray[np.float64]:
    found = np.asarray(vector, dtype=np.float64)
    length = float(np.linalg.norm(found))
    return found / length if length > 0 else found

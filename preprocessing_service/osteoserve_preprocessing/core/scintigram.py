"""A whole-body bone scan as the network sees it: both views side by side, counts to grey.

Yu 2023, section 2.1: size and intensity are normalised, and the anterior and the posterior view are
cropped into one image of 950 x 512 without scaling or any other geometric transformation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from osteoserve_preprocessing.errors import ScintigramError

#: Height and width of the image, pixels; the anterior view has the left half.
IMAGE_SIZE: Final = (950, 512)
ROWS, COLUMNS = IMAGE_SIZE
VIEW_COLUMNS: Final = COLUMNS // 2

#: Side of the square over which counts are averaged to tell the body from the air, pixels.
SMOOTHED: Final = 9
#: What is body, relative to the mean count of a field of 1024 x 256 pixels, air and body together.
#: All counts over this one area, so that empty rows or columns more or less change nothing.
BODY_SHARE: Final = 0.25
FIELD_PIXELS: Final = 1024 * 256
#: White is this many times the 75th percentile of the body's counts: that of quiet bone and soft
#: tissue, which a hot bladder, an injection site or metastases hardly move.
WHITE: Final = 3.0

#: Rows or columns that no whole-body scan exceeds.
LARGEST: Final = 4096

#: First column of each view's half.
HALVES: Final[Mapping[str, int]] = {"anterior": 0, "posterior": VIEW_COLUMNS}

Counts = npt.NDArray[np.unsignedinteger[Any]]
Scalar = TypeVar("Scalar", bound=np.generic)
Box = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class ComposedViews:
    """Both views in one image.

    Args:
        image: (950, 512) uint8, 0 no counts, 255 white; a missing view is 0.
        first_row: Row of the views that became row 0; negative where rows were added above.
        first_column: Column of the views that became column 0 of their half, likewise.
        white: Counts that became 255.
    """

    image: npt.NDArray[np.uint8]
    first_row: int
    first_column: int
    white: float

    def cut(self, pixels: npt.NDArray[Scalar], view: str) -> npt.NDArray[Scalar]:
        """Cut what has the grid of a view as the view was cut.

        Args:
            pixels: (Y, X), any dtype.
            view: "anterior" or "posterior".

        Returns:
            (950, 512) of the same dtype, 0 outside.
        """
        return _cut(pixels, HALVES[view], self.first_row, self.first_column)

    def back(
        self, image: npt.NDArray[Scalar], view: str, shape: tuple[int, int]
    ) -> npt.NDArray[Scalar]:
        """Bring what has the grid of the image back onto the grid of a view; undoes `cut`.

        Args:
            image: (..., 950, 512), any dtype.
            view: "anterior" or "posterior".
            shape: (Y, X) of the view.

        Returns:
            (..., Y, X) of the same dtype, 0 where the view was cut away.
        """
        source, target = self._kept(shape, HALVES[view])
        pixels = np.zeros((*image.shape[:-2], *shape), dtype=image.dtype)
        pixels[..., source[0], source[1]] = image[..., target[0], target[1]]
        return pixels

    def kept(self, shape: tuple[int, int]) -> tuple[range, range]:
        """Rows and columns of a view that the image holds.

        Args:
            shape: (Y, X) of the view.
        """
        rows, columns = self._kept(shape, 0)[0]
        return range(rows.start, rows.stop), range(columns.start, columns.stop)

    def _kept(self, shape: tuple[int, int], half: int) -> tuple[Box, Box]:
        return _kept(shape, half, self.first_row, self.first_column)


def check_view_shape(shape: tuple[int, int]) -> None:
    """Refuse what is far larger than any whole-body scan, before memory is taken for it.

    Args:
        shape: (Y, X) of a view.

    Raises:
        ScintigramError: It has no pixel, or more than 4096 rows or columns.
    """
    if not all(1 <= size <= LARGEST for size in shape):
        rows, columns = shape
        raise ScintigramError(f"a view has up to {LARGEST} rows and columns, not {rows}x{columns}")


def compose_views(
    anterior: Counts | None, posterior: Counts | None, *, brightness: float = 1.0
) -> ComposedViews:
    """Put the views of a whole-body bone scan side by side and turn counts into grey.

    The body is centred from head to feet where a view has more rows than fit; a body that is longer
    keeps its head, since no region lies below the knees. From side to side the bodies are centred
    too where a view is wider. One scale holds for both views.

    Args:
        anterior: (Y, X) counts, rows from the head to the feet; None where it is missing.
        posterior: The same of the posterior view, as its detector sees the patient.
        brightness: Factor of grey, above 0 (section 2.4; the paper retries with 2.5 what failed).

    Returns:
        The image, and where it was cut out.

    Raises:
        ScintigramError: There is no view, they differ in shape, their bodies are wider than fit,
            they have no counts, or the brightness is impossible.
    """
    views = {
        view: counts
        for view, counts in (("anterior", anterior), ("posterior", posterior))
        if counts is not None
    }
    given = list(views.values())
    _check(given, brightness)
    bodies = [_body(view) for view in given]
    counted = np.concatenate([view[body] for view, body in zip(given, bodies, strict=True)])
    white = WHITE * max(float(np.percentile(counted, 75)), 1.0) / brightness
    first_row = _first_row(np.any([body.any(axis=1) for body in bodies], axis=0))
    first_column = _first_column(np.any([body.any(axis=0) for body in bodies], axis=0))
    image = np.zeros((ROWS, COLUMNS), dtype=np.uint8)
    for view, counts in views.items():
        grey = np.rint(np.minimum(counts * (255.0 / white), 255.0)).astype(np.uint8)
        image += _cut(grey, HALVES[view], first_row, first_column)
    return ComposedViews(image, first_row, first_column, white)


def _check(given: list[Counts], brightness: float) -> None:
    if not given:
        raise ScintigramError("a bone scan needs an anterior or a posterior view")
    shapes = {view.shape for view in given}
    if len(shapes) > 1 or given[0].ndim != 2:
        raise ScintigramError(f"views must be images of one shape, not {sorted(shapes)}")
    if not all(view.any() for view in given):
        raise ScintigramError("a view has no counts")
    if not 0 < brightness < np.inf:
        raise ScintigramError(f"brightness must be above 0, not {brightness}")


def _cut(
    pixels: npt.NDArray[Scalar], half: int, first_row: int, first_column: int
) -> npt.NDArray[Scalar]:
    image = np.zeros((ROWS, COLUMNS), dtype=pixels.dtype)
    source, target = _kept(pixels.shape, half, first_row, first_column)
    image[target] = pixels[source]
    return image


def _kept(shape: tuple[int, ...], half: int, first_row: int, first_column: int) -> tuple[Box, Box]:
    """Which pixels of a view the image holds, and where."""
    rows = slice(max(0, first_row), min(shape[0], first_row + ROWS))
    columns = slice(max(0, first_column), min(shape[1], first_column + VIEW_COLUMNS))
    return (rows, columns), (
        slice(rows.start - first_row, rows.stop - first_row),
        slice(half + columns.start - first_column, half + columns.stop - first_column),
    )


def _body(view: Counts) -> npt.NDArray[np.bool_]:
    smooth = ndimage.uniform_filter(view.astype(np.float32), SMOOTHED, mode="constant")
    threshold = BODY_SHARE * float(view.sum(dtype=np.int64)) / FIELD_PIXELS
    body: npt.NDArray[np.bool_] = smooth > threshold
    return body


def _first_row(occupied: npt.NDArray[np.bool_]) -> int:
    """Row that becomes row 0."""
    spare = len(occupied) - ROWS
    if spare <= 0:
        return spare // 2
    body = np.flatnonzero(occupied)
    centred = (int(body[0]) + int(body[-1]) + 1 - ROWS) // 2
    return int(np.clip(min(centred, int(body[0])), 0, spare))


def _first_column(occupied: npt.NDArray[np.bool_]) -> int:
    """Column that becomes the first one of a half."""
    spare = len(occupied) - VIEW_COLUMNS
    if spare <= 0:
        return spare // 2
    body = np.flatnonzero(occupied)
    if body[-1] - body[0] >= VIEW_COLUMNS:
        raise ScintigramError(
            f"the body is {body[-1] - body[0] + 1} columns wide and {VIEW_COLUMNS} fit: resampling "
            "would distort counts"
        )
    return int(np.clip((int(body[0]) + int(body[-1]) + 1 - VIEW_COLUMNS) // 2, 0, spare))

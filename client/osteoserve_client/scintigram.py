"""What reading hands on of a whole-body bone scan: its views, and where they came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, TypeVar

import numpy as np
import numpy.typing as npt
from pydicom import Dataset

from osteoserve_client.study import Json

View = Literal["anterior", "posterior"]
VIEWS: Final[tuple[View, ...]] = ("anterior", "posterior")

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, eq=False, kw_only=True)
class PlanarView:
    """One view, turned as its detector sees a patient whose head is up.

    Args:
        view: From where it shows the patient.
        counts: (Y, X) uint16. Rows run from the head to the feet; columns towards the patient's
            left in an anterior view, towards the right in a posterior one.
        file: Index into ``Scintigram.datasets``; 0 for a PNG or TIFF.
        frame: Number of its frame in that file, from 1.
        first_column: Where it begins in the stored frame, which may hold both views side by side.
        rows_reversed: Whether the stored rows run from the feet to the head.
        columns_reversed: Whether the stored columns run against those of ``counts``.
    """

    view: View
    counts: npt.NDArray[np.uint16]
    file: int = 0
    frame: int = 1
    first_column: int = 0
    rows_reversed: bool = False
    columns_reversed: bool = False

    def as_stored(self, pixels: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """Turn what has the grid of ``counts`` as the stored frame lies.

        Args:
            pixels: (Y, X), any dtype.

        Returns:
            (Y, X), a view of the same pixels. It covers the stored frame's columns from
            ``first_column`` on.
        """
        rows = -1 if self.rows_reversed else 1
        columns = -1 if self.columns_reversed else 1
        return pixels[::rows, ::columns]


@dataclass(frozen=True, eq=False, kw_only=True)
class Scintigram:
    """One planar whole-body bone scan, with what is needed to write regions back onto its source.

    Args:
        views: One or two, the anterior one first; all of one shape.
        pixel_spacing_mm: (between rows, between columns); None where the file does not say.
        source: Which kind of file it came from.
        datasets: DICOM: the files' datasets without pixel data, in the order of their names. Empty
            for images.
        stored_shapes: (rows, columns) of a stored frame, for each file.
        warnings: One line each, for the report; nothing of the patient.
        description: What is known of the acquisition, for the report; nothing of the patient.
    """

    views: tuple[PlanarView, ...]
    pixel_spacing_mm: tuple[float, float] | None
    source: Literal["dicom", "image"]
    # Their representation holds the patient.
    datasets: tuple[Dataset, ...] = field(default=(), repr=False)
    stored_shapes: tuple[tuple[int, int], ...] = ()
    warnings: tuple[str, ...] = ()
    description: Mapping[str, Json] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def counts(self) -> npt.NDArray[np.uint16]:
        """(V, Y, X) uint16, the views one after the other."""
        return np.stack([view.counts for view in self.views])

    def __getitem__(self, view: str) -> PlanarView:
        """The view of that name.

        Raises:
            KeyError: The scan does not have it.
        """
        for each in self.views:
            if each.view == view:
                return each
        raise KeyError(view)

"""The table under the patient: curved two-shell stretcher, single curved shell, flat couch.

The table stands in the scanner's frame: it neither leans nor warps with the body.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from osteoserve_client.phantom.canvas import Array
from osteoserve_client.phantom.parameters import PhantomParameters


class Table:
    """One table, the same in every slice.

    Args:
        parameters: Kind of table, gap, and prone or not.
        columns_mm: (X,) x of the pixel centres, mm, patient frame.
        rows_mm: (Y,) y of the pixel centres, mm.
        pixel_mm: Distance of pixel centres.
        back_mm: y of the patient's lowest skin, mm, patient frame (largest y when supine,
            smallest when prone).
    """

    def __init__(
        self,
        parameters: PhantomParameters,
        columns_mm: npt.NDArray[np.float64],
        rows_mm: npt.NDArray[np.float64],
        pixel_mm: float,
        back_mm: float,
    ) -> None:
        rng = np.random.default_rng([parameters.seed, 53])
        self._pixel = pixel_mm
        down = -1.0 if parameters.prone else 1.0
        # Below: millimetres under the patient's skin; 0 where they touch.
        below = down * (rows_mm - back_mm)
        self._below = below.astype(np.float32)[:, None]
        self._x = (columns_mm - float(rng.normal(0, 4))).astype(np.float32)[None, :]
        self._rise = float(rng.uniform(25, 42))
        self._half = float(rng.uniform(205, 225))
        self._shell_hu = float(rng.uniform(-50, 650))
        self._shell_mm = float(rng.uniform(1.2, 3.4))
        self._gap, self._kind = parameters.table_gap_mm, parameters.table
        self._second_mm = float(rng.uniform(6, 50))
        self._rails = bool(rng.random() < 0.25)
        self._wires = bool(rng.random() < 0.15)
        self._mattress_hu = float(rng.uniform(-990, -900))

    def paint(self, hu: Array) -> None:
        """Paint the table into a (Y, X) float32 slice of air."""
        if self._kind == "none":
            return
        if self._kind == "flat":
            self._flat(hu)
        else:
            self._curved(hu)

    def _blend(self, hu: Array, distance: Array, value: float) -> None:
        hu += np.clip(0.5 - distance / np.float32(self._pixel), 0, 1) * (value - hu)

    def _arc(self, depth: float, rise: float, half: float) -> tuple[Array, Array]:
        """Distance below an arc that sags to `depth` and rises by `rise` at x = half."""
        curve = np.float32(depth) - np.float32(rise / half**2) * np.square(self._x)
        slope = np.sqrt(1 + np.square(np.float32(2 * rise / half**2) * self._x))
        return (self._below - curve) / slope, np.abs(self._x) - np.float32(half)

    def _curved(self, hu: Array) -> None:
        # The cradle hugs the back: its edges rise beside the patient.
        gap = self._gap
        pad, ends = self._arc(gap * 0.5, self._rise, self._half)
        cushion = np.maximum(np.abs(pad) - np.float32(gap * 0.45), ends)
        self._blend(hu, cushion, self._mattress_hu)
        upper, ends = self._arc(gap, self._rise, self._half)
        self._blend(
            hu, np.maximum(np.abs(upper - 2) - np.float32(self._shell_mm / 2), ends), self._shell_hu
        )
        if self._kind == "two_shell":
            self._second_shell(hu)
        elif self._kind == "trapezoid":
            self._trough(hu)
        self._extras(hu, gap + 14, self._half - 4)

    def _second_shell(self, hu: Array) -> None:
        depth = self._gap + 4 + self._second_mm
        half = self._half * 0.78 if self._second_mm > 20 else self._half * 0.98
        lower, ends = self._arc(depth, self._rise * 0.8, half)
        self._blend(
            hu,
            np.maximum(np.abs(lower) - np.float32(self._shell_mm / 2), ends),
            self._shell_hu + 120,
        )
        if self._second_mm < 20:
            between, ends = self._arc(depth - self._second_mm / 2, self._rise * 0.9, half)
            foam = np.maximum(np.abs(between) - np.float32(self._second_mm / 2 - 1), ends)
            self._blend(hu, foam, -900.0)

    def _trough(self, hu: Array) -> None:
        """A flat floor with slanted sides, some centimetres under the cradle."""
        depth, floor = self._gap + 22 + self._second_mm, np.float32(0.45 * self._half)
        x = np.abs(self._x)
        curve = np.float32(depth) - np.float32(0.75) * np.clip(x - floor, 0, None)
        slope = np.where(x > floor, np.float32(1.25), np.float32(1))
        distance = np.abs(self._below - curve) / slope - np.float32(self._shell_mm / 2)
        self._blend(hu, np.maximum(distance, x - np.float32(0.75 * self._half)), self._shell_hu)

    def _flat(self, hu: Array) -> None:
        box = np.maximum(
            np.abs(self._below - np.float32(self._gap + 22)) - 20, np.abs(self._x) - 240
        )
        self._blend(hu, box, self._shell_hu)
        self._blend(hu, box + np.float32(self._shell_mm), -930.0)
        self._extras(hu, self._gap + 24, 225)

    def _extras(self, hu: Array, depth: float, x: float) -> None:
        """Metal rails and wires that run along the table."""
        for s in (-1.0, 1.0):
            if self._rails:
                rail = self._from(s * x, depth + 8)
                self._blend(hu, rail - np.float32(4), 1900.0)
                self._blend(hu, rail - np.float32(2), -700.0)
            if self._wires:
                self._blend(hu, self._from(0.4 * s * x, depth + 4) - np.float32(1.2), 2600.0)

    def _from(self, x: float, below: float) -> Array:
        """(Y, X) distance from a point of the section."""
        distance: Array = np.hypot(self._x - np.float32(x), self._below - np.float32(below))
        return distance

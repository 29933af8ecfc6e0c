"""Command-line options as fields of a specification."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from osteoserve_export.errors import SpecificationError
from osteoserve_export.label_codes import labels_of_names
from osteoserve_export.specification import (
    ExportSpecification,
    read_specification,
    specification,
)
from osteoserve_preprocessing.core import Normalisation, Window
from osteoserve_preprocessing.errors import OptionError


def asked_for(
    config: Path | None,
    *,
    labels: str | None = None,
    options: Sequence[str] = (),
    window: str | None = None,
    normalisation: str | None = None,
    pixel_spacing: float | None = None,
    pixel_spacing_range: str | None = None,
    formats: str | None = None,
    mean: str | None = None,
    std: str | None = None,
    image_size: str | None = None,
    tolerance: float | None = None,
    **others: Any,
) -> ExportSpecification:
    """What the options and the file ask for together; options go before the file.

    Args:
        config: Specification file.
        labels: Names with commas between.
        options: Of the architecture, each "key=value" with a TOML value or a plain word.
        window: "low,high", HU.
        normalisation: Its name.
        pixel_spacing: mm.
        pixel_spacing_range: "low,high", mm.
        formats: Names with commas between.
        mean: One number, or three with commas between.
        std: Likewise.
        image_size: "rows,columns", pixels.
        tolerance: Least Dice.
        **others: Fields of the specification as they are; None where not given.

    Raises:
        SpecificationError: A value is missing, impossible, or of another task.
        ArchitectureError: There is no such architecture.
    """
    changes: dict[str, Any] = dict(others)
    changes["least_dice"] = tolerance
    changes["pixel_spacing_mm"] = pixel_spacing
    changes["mean"] = _numbers("--mean", mean) if mean is not None else None
    changes["std"] = _numbers("--std", std) if std is not None else None
    changes["options"] = dict(map(_option, options)) or None
    changes["labels"] = labels_of_names(labels.split(",")) if labels is not None else None
    changes["formats"] = tuple(formats.split(",")) if formats is not None else None
    changes["normalisation"] = Normalisation(normalisation) if normalisation else None
    if pixel_spacing_range is not None:
        changes["pixel_spacing_range_mm"] = _pair("--pixel-spacing-range", pixel_spacing_range)
    if image_size is not None:
        changes["image_size"] = _image_size(image_size)
    if window is not None:
        changes["window"] = _window(window)
    changes = {key: value for key, value in changes.items() if value is not None}
    return read_specification(config, changes) if config else specification(changes)


def _option(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise SpecificationError(f"--option takes KEY=VALUE, not {text!r}")
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key, value  # a plain word, which TOML would want in quotes


def _window(text: str) -> Window:
    low, high = _pair("--window", text)
    if not (low.is_integer() and high.is_integer()):
        raise SpecificationError(f"--window takes whole HU, not {text!r}")
    try:
        return Window(int(low), int(high))
    except OptionError as error:
        raise SpecificationError(f"--window: {error}") from error


def _image_size(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise SpecificationError(f"--image-size takes ROWS,COLUMNS, not {text!r}") from error


def _numbers(option: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise SpecificationError(f"{option} takes numbers and commas, not {text!r}") from error


def _pair(option: str, text: str) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError as error:
        raise SpecificationError(f"{option} takes LOW,HIGH, not {text!r}") from error
    return low, high

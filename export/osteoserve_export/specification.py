"""What an export is asked for: one frozen value, from a TOML file, from options, or from both.

The file has the tables ``[model]``, ``[input]``, ``[output]``, ``[export]``, ``[parity]``, and
``[[label]]``; docs/export.md names every key. `write_specification` writes what was used beside the
model, so that an export can be repeated and its proof recomputed.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import tomli_w

from osteoserve_export.errors import SpecificationError
from osteoserve_export.label_codes import labels_of_table, table_of_labels
from osteoserve_preprocessing.core import Normalisation, Window
from osteoserve_preprocessing.errors import OptionError
from osteoserve_preprocessing.inference.labels import Label

Activation = Literal["threshold", "argmax"]
Precision = Literal["fp32", "fp16", "int8"]
Format = Literal["onnx", "tensorrt"]

#: What the shipped CT networks were trained on, and what an export states unless told otherwise:
#: pixel spacing, and the least and largest that are taken without resampling, mm.
PIXEL_SPACING_MM: Final = 0.9766
PIXEL_SPACING_RANGE_MM: Final = (0.6, 1.3)

#: Least Dice between the exported file's masks and the network's, per study and per label.
LEAST_DICE: Final[Mapping[str, float]] = {"fp32": 0.999, "fp16": 0.995, "int8": 0.995}

#: Largest difference of a logit, relative to the largest logit of the study (fp32 only).
LOGIT_TOLERANCE: Final = 1e-3

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, kw_only=True)
class ExportSpecification:
    """One export.

    Args:
        architecture: A registered architecture, or ``package.module:factory``.
        name: Of the model in the repository.
        labels: What the output values mean, in the order of the classes.
        version: Version directory, a positive integer.
        options: Of the architecture; what the weights tell need not be stated.
        window: HU range that 0..255 stands for.
        normalisation: How 0..255 was reached in training.
        pixel_spacing_mm: Pixel spacing that the network was trained on, mm.
        pixel_spacing_range_mm: Spacings that it takes without resampling, mm.
        mean: Subtracted from grey values 0..1 before the network, as in its training; one number,
            or one for each of its input channels.
        std: What they are divided by after that, likewise.
        activation: ``threshold`` for one sigmoid class, ``argmax`` over several.
        threshold: Probability above which a pixel is foreground (``threshold`` only).
        probabilities: Whether the graph has the probabilities as a second output.
        formats: Files to write; ``onnx`` always, ``tensorrt`` on a machine with an NVIDIA GPU.
        precision: Arithmetic of the file.
        space_to_depth: Whether level 0 of a U-Net is computed at half resolution with four times
            the channels: the same result, faster on CPUs with AMX.
        size_multiple: H and W must be multiples of it; None: what the architecture needs.
        max_batch: Most slices in one request.
        least_dice: Agreement that is required; None: 0.999 for fp32, 0.995 otherwise. Another value
            stands in the report.
        logit_tolerance: Largest relative difference of a logit (fp32).

    Raises:
        SpecificationError: A value is impossible; the message names it.
    """

    architecture: str
    name: str
    labels: tuple[Label, ...]
    version: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    window: Window = field(default_factory=Window)
    normalisation: Normalisation = Normalisation.INTERPATIENT
    pixel_spacing_mm: float = PIXEL_SPACING_MM
    pixel_spacing_range_mm: tuple[float, float] = PIXEL_SPACING_RANGE_MM
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    activation: Activation = "threshold"
    threshold: float = 0.5
    probabilities: bool = False
    formats: tuple[Format, ...] = ("onnx",)
    precision: Precision = "fp32"
    space_to_depth: bool = False
    size_multiple: int | None = None
    max_batch: int = 32
    least_dice: float | None = None
    logit_tolerance: float = LOGIT_TOLERANCE

    def __post_init__(self) -> None:
        low, high = self.pixel_spacing_range_mm
        values = [label.value for label in self.labels]
        for right, message in (
            (_NAME.fullmatch(self.name), f"name {self.name!r} is no folder name of a model"),
            (self.version >= 1, f"version must be 1 or more, not {self.version}"),
            (values, "labels are missing"),
            (
                values == list(range(1, len(values) + 1)),
                f"labels must be 1, 2, ... in the order of the classes, not {values}",
            ),
            (
                self.activation != "threshold" or len(values) == 1,
                f"threshold gives one label, not {len(values)}: use argmax",
            ),
            (self.activation in ("threshold", "argmax"), "activation is threshold or argmax"),
            (0 < self.threshold < 1, "threshold must lie between 0 and 1"),
            (self.precision in LEAST_DICE, f"precision must be one of {', '.join(LEAST_DICE)}"),
            (
                "onnx" in self.formats and set(self.formats) <= {"onnx", "tensorrt"},
                "formats are onnx, or onnx and tensorrt",
            ),
            (
                all(0 < value < math.inf for value in self.std)
                and all(map(math.isfinite, self.mean)),
                "std must be above 0, mean a number",
            ),
            (
                len(self.mean) in (1, 3) and len(self.std) in (1, 3),
                "mean and std are one number, or one for each of three channels",
            ),
            (
                0 < low <= self.pixel_spacing_mm <= high < math.inf,
                "pixel_spacing_range_mm must hold pixel_spacing_mm",
            ),
            (self.max_batch >= 1, "max_batch must be 1 or more"),
            (
                self.size_multiple is None or self.size_multiple >= 1,
                "size_multiple must be 1 or more",
            ),
            (0 < self.required_dice <= 1, "least_dice must lie between 0 and 1"),
            (self.logit_tolerance > 0, "logit_tolerance must be above 0"),
        ):
            if not right:
                raise SpecificationError(message)

    @property
    def output_channels(self) -> int:
        """Channels that the network must have: one a label, and one for background in an argmax."""
        return len(self.labels) + (1 if self.activation == "argmax" else 0)

    @property
    def required_dice(self) -> float:
        """Dice that the proof must reach."""
        if self.least_dice is not None:
            return self.least_dice
        return LEAST_DICE.get(self.precision, 1.0)


def read_specification(path: Path, changes: Mapping[str, Any]) -> ExportSpecification:
    """Read a specification; options of a command line go before what the file says.

    Args:
        path: TOML file.
        changes: Fields of `ExportSpecification` that are given otherwise.

    Raises:
        SpecificationError: The file cannot be read, has an unknown key, or lacks one.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SpecificationError(f"{path}: {error}") from error
    try:
        return specification(_fields(document) | dict(changes))
    except SpecificationError as error:
        raise SpecificationError(f"{path}: {error}") from error


def specification(values: Mapping[str, Any]) -> ExportSpecification:
    """A specification of named values.

    Raises:
        SpecificationError: One is missing, or impossible.
    """
    missing = {"architecture", "name", "labels"} - set(values)
    if missing:
        raise SpecificationError(f"{', '.join(sorted(missing))} must be given")
    activation = "threshold" if len(values["labels"]) == 1 else "argmax"
    try:
        return ExportSpecification(**({"activation": activation} | dict(values)))
    except (TypeError, OptionError) as error:
        raise SpecificationError(str(error)) from error


def write_specification(asked: ExportSpecification) -> str:
    """The TOML text that `read_specification` reads as the same specification."""
    document: dict[str, Any] = {}
    for key, table in _TABLES.items():
        value = getattr(asked, key)
        if value is not None:
            document.setdefault(table, {})[_ALIASES.get(key, key)] = _plain(value)
    document["label"] = table_of_labels(asked.labels)
    return tomli_w.dumps(document)


#: In which table of the file each field stands.
_TABLES: Final[Mapping[str, str]] = {
    "architecture": "model",
    "name": "model",
    "version": "model",
    "options": "model",
    "window": "input",
    "normalisation": "input",
    "pixel_spacing_mm": "input",
    "pixel_spacing_range_mm": "input",
    "mean": "input",
    "std": "input",
    "size_multiple": "input",
    "activation": "output",
    "threshold": "output",
    "probabilities": "output",
    "formats": "export",
    "precision": "export",
    "space_to_depth": "export",
    "max_batch": "export",
    "least_dice": "parity",
    "logit_tolerance": "parity",
}

_ALIASES: Final[Mapping[str, str]] = {"window": "window_hu"}


def _fields(document: Mapping[str, Any]) -> dict[str, Any]:
    known = {(table, _ALIASES.get(key, key)): key for key, table in _TABLES.items()}
    values: dict[str, Any] = {}
    for table, content in document.items():
        if table == "label":
            values["labels"] = labels_of_table(content)
            continue
        if not isinstance(content, dict):
            raise SpecificationError(f"{table} must be a table")
        for name, value in content.items():
            if (table, name) not in known:
                raise SpecificationError(f"unknown key {name} in [{table}]")
            key = known[table, name]
            values[key] = _typed(key, value)
    return values


def _typed(key: str, value: Any) -> Any:
    """A value of the file as the field holds it."""
    try:
        if key == "window":
            return Window(*value)
        if key == "normalisation":
            return Normalisation(value)
        return tuple(value) if isinstance(value, list) else value
    except (TypeError, ValueError) as error:
        raise SpecificationError(f"{_ALIASES.get(key, key)} cannot be {value!r}") from error


def _plain(value: Any) -> Any:
    """The inverse of `_typed`."""
    if isinstance(value, Window):
        return [value.lower, value.upper]
    if isinstance(value, Normalisation):
        return value.value
    return list(value) if isinstance(value, tuple) else value

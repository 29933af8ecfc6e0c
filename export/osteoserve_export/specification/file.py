"""Specifications as TOML files.

The file has the tables ``[model]``, ``[input]``, ``[output]``, ``[export]``, ``[parity]``, and
``[[label]]``; docs/export.md names every key. `write_specification` writes what was used beside the
model, so that an export can be repeated and its proof recomputed.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import tomli_w

from osteoserve_export.architectures import find_architecture
from osteoserve_export.errors import SpecificationError
from osteoserve_export.label_codes import labels_of_table, table_of_labels
from osteoserve_export.specification.values import (
    DetectionSpecification,
    ExportSpecification,
    SegmentationSpecification,
)
from osteoserve_preprocessing.core import Normalisation, Window
from osteoserve_preprocessing.errors import OptionError

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
    "image_size": "input",
    "activation": "output",
    "threshold": "output",
    "probabilities": "output",
    "formats": "export",
    "precision": "export",
    "space_to_depth": "export",
    "max_batch": "export",
    "least_dice": "parity",
    "logit_tolerance": "parity",
    "match_rate": "parity",
    "score_tolerance": "parity",
}

_ALIASES: Final[Mapping[str, str]] = {"window": "window_hu"}


def read_specification(path: Path, changes: Mapping[str, Any]) -> ExportSpecification:
    """Read a specification; options of a command line go before what the file says.

    Args:
        path: TOML file.
        changes: Fields that are given otherwise.

    Raises:
        SpecificationError: The file cannot be read, has an unknown key, or lacks one.
        ArchitectureError: There is no such architecture.
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
    """A specification of named values, of the kind that the architecture's task has.

    Raises:
        SpecificationError: One is missing, impossible, or of another task.
        ArchitectureError: There is no such architecture.
    """
    missing = {"architecture", "name", "labels"} - set(values)
    if missing:
        raise SpecificationError(f"{', '.join(sorted(missing))} must be given")
    architecture, task = values["architecture"], find_architecture(values["architecture"]).task
    kind = DetectionSpecification if task == "detection" else SegmentationSpecification
    known = {each.name for each in fields(kind)}
    foreign = [_ALIASES.get(key, key) for key in values if key not in known]
    if foreign:
        raise SpecificationError(f"{architecture} is for {task}, which has no {', '.join(foreign)}")
    try:
        return kind(**(_usual(kind, values) | dict(values)))
    except (TypeError, OptionError) as error:
        raise SpecificationError(str(error)) from error


def write_specification(asked: ExportSpecification) -> str:
    """The TOML text that `read_specification` reads as the same specification."""
    document: dict[str, Any] = {}
    for key, table in _TABLES.items():
        value = getattr(asked, key, None)
        if value is not None:
            document.setdefault(table, {})[_ALIASES.get(key, key)] = _plain(value)
    document["label"] = table_of_labels(asked.labels)
    return tomli_w.dumps(document)


def _usual(kind: type[ExportSpecification], values: Mapping[str, Any]) -> dict[str, Any]:
    if kind is not SegmentationSpecification:
        return {}
    return {"activation": "threshold" if len(values["labels"]) == 1 else "argmax"}


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

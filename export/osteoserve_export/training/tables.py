"""Recipes in TOML: tables to frozen values, with a clear line for every mistake."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from osteoserve_export.errors import RecipeError

Options = TypeVar("Options")


def read_tables(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        RecipeError: It is none.
    """
    with path.open("rb") as file:
        try:
            return tomllib.load(file)
        except tomllib.TOMLDecodeError as error:
            raise RecipeError(f"{path} is no TOML: {error}") from error


def check_tables(path: Path, content: Mapping[str, Any], known: AbstractSet[str]) -> None:
    """Refuse tables that nobody would read.

    Raises:
        RecipeError: There are some.
    """
    unknown = set(content) - known
    if unknown:
        raise RecipeError(f"{path} has unknown tables: {', '.join(sorted(unknown))}")


def options_of(kind: type[Options], values: Mapping[str, Any]) -> Options:
    """Make a dataclass of a table.

    Args:
        kind: The dataclass.
        values: By field; lists become tuples.

    Raises:
        RecipeError: A key is unknown or missing, or a value is impossible.
    """
    known = {entry.name for entry in fields(kind)}  # type: ignore[arg-type]
    if set(values) - known:
        raise RecipeError(f"{kind.__name__} has no {', '.join(sorted(set(values) - known))}")
    try:
        return kind(**{key: frozen(value) for key, value in values.items()})
    except TypeError as error:
        raise RecipeError(f"{kind.__name__}: {error}") from error


def frozen(value: Any) -> Any:
    """Lists, at any depth, as tuples."""
    return tuple(frozen(entry) for entry in value) if isinstance(value, list) else value

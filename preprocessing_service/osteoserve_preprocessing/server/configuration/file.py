"""Reads settings from a TOML file, and refuses what is none."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from osteoserve_preprocessing.errors import OptionError
from osteoserve_preprocessing.server.configuration.setting import Setting


def read_settings(path: Path, settings: Sequence[Setting]) -> dict[str, Any]:
    """Values by the names of their options.

    Args:
        path: A TOML file; relative paths in it start at its folder.
        settings: What it may hold.

    Raises:
        OptionError: It cannot be read, is no TOML, or holds an unknown key or a wrong type.
    """
    known = {setting.key: setting for setting in settings}
    tables = {setting.table for setting in settings} - {""}
    found = {}
    for key, value in _flat(_parsed(path), tables, path):
        if key not in known:
            raise OptionError(
                f"configuration {path}: unknown key {key!r}{did_you_mean(key, known)}"
            )
        setting = known[key]
        if mistake := setting.mistake(value):
            raise OptionError(f"configuration {path}: {key} must be {mistake}")
        found[setting.field] = path.parent / value if _is_path(setting) else value
    return found


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise OptionError(f"configuration {path} cannot be read: {error.strerror}") from error
    except ValueError as error:  # TOML's and UTF-8's
        raise OptionError(
            f"configuration {path} is no TOML: {' '.join(str(error).split())}"
        ) from error


def _flat(content: dict[str, Any], tables: set[str], path: Path) -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if key not in tables:
            yield key, value
        elif not isinstance(value, dict):
            raise OptionError(f"configuration {path}: {key} must be a table, [{key}]")
        else:
            yield from ((f"{key}.{inner}", each) for inner, each in value.items())


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A known word that is like it, for the end of a message; empty where none is."""
    close = get_close_matches(word, known, 1)
    return f"; did you mean {close[0]}?" if close else ""


def _is_path(setting: Setting) -> bool:
    return isinstance(setting.type, click.Path)

"""Which fold of a cross-validation each study was tested in."""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping
from pathlib import Path

from osteoserve_client.errors import FoldsError

COLUMNS = ("study", "fold")


def read_folds(path: Path) -> dict[str, str]:
    """Read a table with the columns ``study`` and ``fold``.

    Args:
        path: CSV (RFC 4180), UTF-8, with a line of column names.

    Returns:
        The fold of every study.

    Raises:
        FoldsError: It cannot be read, lacks a column or a value, or names a study twice.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file, strict=True)
            rows = [(row.get("study"), row.get("fold")) for row in table]
    except (OSError, UnicodeDecodeError, csv.Error):
        raise FoldsError(f"{path.name}: is no table that can be read") from None
    folds: dict[str, str] = {}
    for number, (study, fold) in enumerate(rows, start=1):
        if not study or not fold or not study.strip() or not fold.strip():
            raise FoldsError(f"{path.name}: row {number} needs a study and a fold")
        if study.strip() in folds:
            raise FoldsError(f"{path.name}: names the study {study.strip()} twice")
        folds[study.strip()] = fold.strip()
    if not folds:
        raise FoldsError(f"{path.name}: needs the columns study and fold, and a row")
    return folds


def folds_of(folds: Mapping[str, str], studies: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The studies of each fold, folds in the order of their numbers or names.

    Raises:
        FoldsError: A study has no fold.
    """
    for study in sorted(studies):
        if study not in folds:
            raise FoldsError(f"{study}: the table of folds does not name this study")
    used = {folds[study] for study in studies}
    return {
        fold: tuple(study for study in sorted(studies) if folds[study] == fold)
        for fold in sorted(used, key=_order)
    }


def _order(fold: str) -> tuple[int, str]:
    return (int(fold), "") if fold.isascii() and fold.isdigit() else (1 << 62, fold)

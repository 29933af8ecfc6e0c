"""What the values of label maps mean, and when two names mean the same."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from osteoserve_client.errors import UnreadableFileError, UsageError
from osteoserve_client.evaluation.label_maps import NAMELESS, Names
from osteoserve_client.reading.discretion import refusing
from osteoserve_client.writing.output_names import REPORT

_BACKGROUND = "background"


def parse_names(given: str) -> Names:
    """Names from the command line: a file with one on each line, or a list with commas.

    Args:
        given: "skull,spine,chest", or the path of a file such as a model's ``labels.txt``. The
            first name is that of value 1, unless it is "background", which is value 0.

    Raises:
        UsageError: The file cannot be read, a name is empty, or there are too many.
    """
    path = Path(given)
    if path.suffix == ".txt":
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            raise UsageError(f"--labels: {path.name} is no text file that can be read") from None
        names = [line.strip() for line in lines if line.strip()]
    else:
        names = [name.strip() for name in given.split(",")]
    if names and names[0].casefold() == _BACKGROUND:
        names = names[1:]
    if not names or not all(names) or len(names) > 255:
        raise UsageError("--labels: needs 1 to 255 names, none of them empty")
    return dict(enumerate(names, start=1))


def reported_names(folder: Path, name: str) -> Names:
    """The names in the ``report.json`` that ``osteoserve segment`` leaves beside its label maps.

    Args:
        folder: Where the label map lies.
        name: How messages call it.

    Returns:
        The names; none where there is no report.

    Raises:
        UnreadableFileError: The report is damaged.
    """
    path = folder / REPORT
    if not path.is_file():
        return NAMELESS
    with refusing(UnreadableFileError, f"{name}: the {REPORT} beside it is damaged"):
        report: Any = json.loads(path.read_text(encoding="utf-8"))
        return {int(label["value"]): str(label["name"]) for label in report["model"]["labels"]}


def key(name: str) -> str:
    """What two names have in common that mean the same: no case, one sort of space."""
    return "_".join(name.casefold().replace("_", " ").replace("-", " ").split())


def values_of(names: Names, wanted: str) -> list[int]:
    """The values that bear a name."""
    return [value for value, name in names.items() if key(name) == key(wanted)]


def distinct(names: Iterable[str]) -> tuple[str, ...]:
    """Names in their order, each once, as it was written first."""
    first: dict[str, str] = {}
    for name in names:
        first.setdefault(key(name), name)
    return tuple(first.values())

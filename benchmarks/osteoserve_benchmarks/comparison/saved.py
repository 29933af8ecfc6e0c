"""A saved run, of ``osteoserve bench`` or of pytest-benchmark, as times that can be compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from osteoserve_client.errors import InputError, InputNotFoundError

#: Under which a run of pytest-benchmark says what ``osteoserve bench`` says as well.
SECTION: Final = "osteoserve"

#: What makes two machines the same; how busy they were, and their kernel, do not.
SAME: Final = ("cpu", "cores", "flags", "memory_gb")

#: Its code is not ours: where it has changed, the machine has.
_PLAIN: Final = "plain_end_to_end_s"


class SavedRunError(InputError):
    """A file is no saved run, or two runs cannot be compared."""


@dataclass(frozen=True)
class SavedRun:
    """A run.

    Args:
        name: Of its file.
        machine: As `Machine.document` states it.
        versions: As `versions` states them.
        series: Seconds of every round, by what was measured.
        yardsticks: Those of them in which nothing is ours.
    """

    name: str
    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    series: Mapping[str, tuple[float, ...]]
    yardsticks: frozenset[str]

    @property
    def place(self) -> tuple[Any, ...]:
        """What must be the same for times to be comparable: machine, and way of measuring."""
        gpus = [gpu.rpartition(",")[0] for gpu in self.machine["gpu"]]  # without the driver
        return *(self.machine[key] for key in SAME), gpus, self.versions["measure"]


def last_saved(path: Path) -> Path:
    """The file, or the last that pytest-benchmark saved in a folder.

    Raises:
        InputNotFoundError: There is none.
    """
    if not path.is_dir():
        return path
    # <folder>/<system and Python>/<number>_<commit>_<time>.json; each system counts by itself.
    found = max(
        path.glob("*/[0-9]*_*.json"), key=lambda file: file.stat().st_mtime_ns, default=None
    )
    if found is None:
        raise InputNotFoundError(f"{path} holds no saved run: make bench saves one")
    return found


def read_run(path: Path) -> SavedRun:
    """Read a run.

    Raises:
        InputNotFoundError: There is no such file.
        SavedRunError: It is none.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputNotFoundError(f"{path} is not there") from error
    except ValueError as error:
        raise SavedRunError(f"{path} is no JSON document") from error
    try:
        if "benchmarks" in document:
            return _of_pytest(path.name, document)
        return _of_bench(path.name, document)
    except (KeyError, TypeError) as error:
        raise SavedRunError(
            f"{path} is no saved run of osteoserve bench or make bench: it lacks {error}"
        ) from error


def _of_bench(name: str, document: Mapping[str, Any]) -> SavedRun:
    """Rounds of another size or duration have another name, and so are not compared."""
    size = [f"{key} {document[key]}" for key in ("slices", "duration_s") if key in document]
    if isinstance(document["slices"], list):
        size = []  # of scaling: each size is in its name
    names = {key: ", ".join((key, *size)) for key in document["spread"]}
    return SavedRun(
        name=name,
        machine=document["machine"],
        versions=document["versions"],
        series={names[key]: tuple(spread["values"]) for key, spread in document["spread"].items()},
        yardsticks=frozenset(names[key] for key in names if key == _PLAIN),
    )


def _of_pytest(name: str, document: Mapping[str, Any]) -> SavedRun:
    stated, runs = document[SECTION], document["benchmarks"]
    return SavedRun(
        name=name,
        machine=stated["machine"],
        versions=stated["versions"],
        series={run["fullname"]: tuple(run["stats"]["data"]) for run in runs},
        yardsticks=frozenset(run["fullname"] for run in runs if run["extra_info"].get("yardstick")),
    )

"""Reads studies, and says of each how that ended and how much memory it took at most."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from osteoserve_client.errors import OsteoserveError
from osteoserve_client.reading import read_study


def peak() -> int:
    """Bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


def reading(path: Path) -> dict[str, object]:
    """How it ended, and by how much it raised what this process took at most."""
    before, ended, said = peak(), "read", ""
    try:
        read_study(path)
    except OsteoserveError as error:
        ended, said = type(error).__name__, str(error)
    return {"ended": ended, "said": said, "taken": peak() - before}


if __name__ == "__main__":
    json.dump([reading(Path(argument)) for argument in sys.argv[1:]], sys.stdout)

"""Why tritonserver did not start, in the words of its own log."""

from __future__ import annotations

import re
from pathlib import Path

#: The most telling first.
_TELLING = (
    re.compile(
        r"failed to load '(?P<model>[^']+)' version \d+: [\w ]+: "
        r"(?:TritonModelException: )?(?P<reason>.+?)(?:\\n|\"?$)",
        re.MULTILINE,
    ),
    re.compile(r"error while loading shared libraries: (?P<reason>[^\n]+)"),
    re.compile(
        r"\"(?P<reason>[^\"\n]*(?:address already in use|failed to (?:start|stop))[^\n]*)\""
    ),
    re.compile(r"^\S+ E \d+ [^\]]+\] \"(?P<reason>[^\n]+)\"$", re.MULTILINE),
    re.compile(r"^error: (?P<reason>[^\n]+)", re.MULTILINE),
    re.compile(r"^(?P<reason>[^+|\n][^\n]+)\s*\Z", re.MULTILINE),
)

#: Said on every machine without a GPU.
_HARMLESS = re.compile(r"^.*(?:CudaDriverHelper|pinned memory pool).*$", re.MULTILINE)


def last_reason(log: str) -> str:
    """The line of a log that says why the server gave up, naming the model where one was at fault.

    Args:
        log: Everything that this run of tritonserver has logged.
    """
    log = _HARMLESS.sub("", log)
    for pattern in _TELLING:
        found = [match.groupdict() for match in pattern.finditer(log)]
        if found:
            last = found[-1]
            reason = last["reason"].strip()
            return f"model {last['model']}: {reason}" if "model" in last else reason
    return "it logged nothing"


def read_from(path: Path, start: int) -> str:
    """The part of a log file after ``start`` bytes."""
    with path.open("rb") as file:
        file.seek(start)
        return file.read().decode(errors="replace")

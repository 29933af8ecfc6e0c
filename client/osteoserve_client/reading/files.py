"""Finds the files of a folder, once each, and says how to name them in messages."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from osteoserve_client.errors import InputNotFoundError

#: ``on_progress(done, total)``: units of work done and to do; the total stays the same.
Progress = Callable[[int, int], None]


def unreported(done: int, total: int) -> None:
    """The ``Progress`` of a caller who does not ask for it."""


def display_name(path: Path, root: Path) -> str:
    """The path relative to the root (a file's own name when it is the root), on one line."""
    shown = path.name if path == root else os.path.relpath(path, root)
    # Names that are no UTF-8, or hold control characters, would break a one-line message.
    text = os.fsencode(shown).decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def files_below(folder: Path) -> list[Path]:
    """Every regular file below the folder, each once, in the order of their paths.

    Links are followed; a folder or file that several links (or loops of links) lead to counts
    once. Names that begin with a dot are left out: they are the operating system's (``.DS_Store``,
    and ``._IM1.dcm``, which is no image), not the scanner's.

    Raises:
        InputNotFoundError: A folder may not be read.
    """
    found: dict[tuple[int, int], Path] = {}
    entered = {_identity(folder)}
    for parent, folders, names in os.walk(folder, followlinks=True, onerror=_refuse_folder):
        folders[:] = sorted(n for n in folders if _is_new(Path(parent, n), entered))
        for name in sorted(names):
            path = Path(parent, name)
            if not name.startswith(".") and path.is_file():
                found.setdefault(_identity(path), path)
    return sorted(found.values())


def _refuse_folder(cause: OSError) -> None:
    raise InputNotFoundError(f"a folder below the one given may not be read: {cause.strerror}")


def _is_new(folder: Path, entered: set[tuple[int, int]]) -> bool:
    if folder.name.startswith("."):
        return False
    identity = _identity(folder)
    if identity in entered:
        return False
    entered.add(identity)
    return True


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino

"""Folders of the spool: private, on the disk once they are made, and how large they are."""

from __future__ import annotations

import os
from pathlib import Path

from osteoserve_client.durable import sync


def make_folder(path: Path) -> None:
    """Make a folder that nobody else may enter, with its parents, and have it on the disk."""
    for folder in reversed([path, *path.parents]):
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)
            sync(folder.parent)


def bytes_below(folder: Path) -> int:
    """What the files below a folder occupy, in bytes; a file of several names counts once."""
    sizes: dict[int, int] = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                status = os.lstat(os.path.join(parent, name))  # noqa: PTH118 - thousands of files
            except FileNotFoundError:
                continue
            sizes[status.st_ino] = status.st_size
    return sum(sizes.values())

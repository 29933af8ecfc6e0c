"""What a message may keep for ever: people name files after patients."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from osteoserve_client.reading.files import display_name


def without_names(message: str, root: Path, files: Sequence[Path]) -> str:
    """The message with files by their number, not by their name.

    Args:
        message: Names files as `display_name` does, relative to the root.
        root: The folder, or the one file.
        files: All of them, in the order in which they are counted, from 1.
    """
    numbers = {display_name(path, root): f"file {n}" for n, path in enumerate(files, start=1)}
    numbers.setdefault(display_name(root, root), "the input")
    # The longest first: one name may begin another.
    names = "|".join(re.escape(name) for name in sorted(numbers, key=len, reverse=True))
    return re.sub(rf"(?<![\w/])(?:{names})(?![\w/])", lambda m: numbers[m.group()], message)

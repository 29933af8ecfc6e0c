"""A file that is there whole, or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from osteoserve_export.errors import ConversionError


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Write a file under another name first, and put it into place when all is well.

    Args:
        target: What is to be written or replaced; its parent exists.

    Yields:
        Where to write. It lies in a hidden folder beside the target, so that putting it into place
        is one step of the file system; more files may be written beside it, and vanish.

    Raises:
        ConversionError: The target's folder cannot be written to, or the disk is full; the target
            is as it was.
    """
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".conversion-") as folder:
            partial = Path(folder) / target.name
            yield partial
            partial.replace(target)
    except OSError as error:
        raise ConversionError(f"{target} cannot be written: {error.strerror or error}") from error

"""The same images twice, as in an archive that holds a backup of some of its studies."""

from __future__ import annotations

import filecmp
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path


def copies(images: Iterable[tuple[str, Path]]) -> set[Path]:
    """Files that are, byte for byte, another one of the same image.

    Two that call themselves the same image and differ are both left: the reader refuses them,
    for nobody can say which is meant.

    Args:
        images: SOP Instance UID of each file; empty where it has none.

    Returns:
        All but the first, in the order of their paths, of those that are alike.

    Raises:
        OSError: A file cannot be read any more.
    """
    of_image: defaultdict[str, list[Path]] = defaultdict(list)
    for instance, path in images:
        if instance:
            of_image[instance].append(path)
    found = set()
    for paths in of_image.values():
        kept: list[Path] = []
        for path in sorted(paths):
            if any(filecmp.cmp(path, other, shallow=False) for other in kept):
                found.add(path)
            else:
                kept.append(path)
    return found

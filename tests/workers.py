"""Which of the workers of ``make test`` runs a test, and when (pytest-xdist)."""

from __future__ import annotations

from collections import Counter

import pytest
from xdist.scheduler import LoadScopeScheduling


class ByFolder(LoadScopeScheduling):
    """A folder's tests go to one worker, one after the other.

    They share services, which so are started once; and what they do to these, they do alone.
    """

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0].rpartition("/")[0]


def begin_with_slow_folders(items: list[pytest.Item]) -> None:
    """Leave what is quick for the end, when one worker may be done before the other."""
    slow = Counter(item.path.parent for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path.parent])

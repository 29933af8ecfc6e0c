"""The command chooses the size of numpy's pages while it still can."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

#: What the command's start leaves for everything that it loads and starts.
PROGRAM = """
import os, sys
from osteoserve_client.cli import group
group._run = lambda: print(os.environ["NUMPY_MADVISE_HUGEPAGE"], "numpy" in sys.modules) or 0
group.main()
"""


@pytest.mark.parametrize(("given", "pages"), [(None, "0"), ("1", "1")])
def test_small_unless_somebody_chose(given: str | None, pages: str) -> None:
    name = "NUMPY_MADVISE_HUGEPAGE"
    environment = {key: value for key, value in os.environ.items() if key != name}
    environment |= {} if given is None else {name: given}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == [pages, "False"]

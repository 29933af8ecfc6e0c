"""Fixtures that every test package shares."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real scans beside the checkout; skips where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(
            "real scans absent: put the folder 'shared/data' beside the checkout "
            "(docs/data.md says what it holds and where each scan comes from)"
        )
    return folder

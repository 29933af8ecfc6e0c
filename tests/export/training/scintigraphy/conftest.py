from __future__ import annotations

from pathlib import Path

import pytest

from tests.export.phantoms import phantom_scan


@pytest.fixture(scope="session")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bone scan with its regions."""
    return phantom_scan(tmp_path_factory.mktemp("scintigraphy"), 3)

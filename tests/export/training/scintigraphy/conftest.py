from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from osteoserve_export.phantoms import phantom_studies


@pytest.fixture(scope="session")
def scan() -> Iterator[Path]:
    """A bone scan with its regions: a folder with dicom/ and labels/."""
    with phantom_studies("scintigraphy", [3], "--labels") as (dicom,):
        yield dicom.parent

"""One phantom as the files of a camera, to be read as it is or edited first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pydicom
import pytest

from osteoserve_client.phantom.scintigraphy import (
    VIEWS,
    PhantomScintigraphy,
    make_scintigraphy_phantom,
    write_scintigraphy_study,
)
from osteoserve_client.reading import read_scintigram
from tests.client.reading.conftest import Refuses
from tests.client.reading.ct_series import CANARY

Edit = Callable[[pydicom.Dataset], object]
Written = Callable[..., Path]


@pytest.fixture(scope="session")
def phantom() -> PhantomScintigraphy:
    return make_scintigraphy_phantom(0)


@pytest.fixture
def written(phantom: PhantomScintigraphy, tmp_path: Path) -> Written:
    """``written(edit, views=..., separate=...)``: the folder of a study, each file edited."""

    def write(
        edit: Edit = lambda _: None,
        *,
        views: Sequence[str] = VIEWS,
        separate: bool = False,
        name: str = "study",
    ) -> Path:
        folder = tmp_path / name
        for path in write_scintigraphy_study(phantom, folder, views=views, separate=separate):
            ds = pydicom.dcmread(path)
            ds.PatientName = f"{CANARY}^{CANARY}"
            ds.PatientID = ds.StudyDescription = ds.PatientComments = CANARY
            # Most cameras leave the orientation out; a test that needs it states it.
            for detector in ds.DetectorInformationSequence:
                detector.ImageOrientationPatient = None
            edit(ds)
            ds.save_as(path, enforce_file_format=True)
        return folder

    return write


@pytest.fixture
def refuses_scan(refuses: Refuses) -> Refuses:
    """As ``refuses``, of a bone scan."""
    return partial(refuses, read=read_scintigram)

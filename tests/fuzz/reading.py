"""Files as a user may have them: read soundly, or refused in our own words."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from osteoserve_client.errors import InputError, UsageError
from osteoserve_client.reading import list_series, modality_of, read_scintigram, read_study
from osteoserve_client.scintigram import Scintigram
from osteoserve_client.study import Study
from tests.client.reading.ct_series import CANARY, Series

#: How files that begin so are named, since ITK's readers and ours go by the name.
_VOLUME_SUFFIXES = ((b"\x1f\x8b", ".nii.gz"), (b"NRRD", ".nrrd"), (b"ObjectType", ".mha"))


def dicom(data: bytes) -> None:
    """One DICOM file by itself."""
    with _folder() as folder:
        path = folder / "alone.dcm"
        path.write_bytes(data)
        listed = _read(lambda: list_series(path))
        assert listed is None or len(listed) == 1
        kind = _read(lambda: modality_of(path))
        if kind == "CT":
            _read_sound(lambda: read_study(path))
        if kind == "NM":
            _read_sound(lambda: read_scintigram(path))


def series(data: bytes) -> None:
    """One DICOM file between two sound slices."""
    with _folder() as folder:
        for name, content in _sound_slices().items():
            (folder / name).write_bytes(content)
        (folder / "IM0001.dcm").write_bytes(data)
        _read_sound(lambda: read_study(folder))


def volume(data: bytes) -> None:
    """A NIfTI, NRRD or MetaImage file."""
    found = [suffix for start, suffix in _VOLUME_SUFFIXES if data.startswith(start)]
    with _folder() as folder:
        path = folder / f"volume{found[0] if found else '.nii'}"
        path.write_bytes(data)
        _read_sound(lambda: read_study(path))


def image(data: bytes) -> None:
    """A PNG or TIFF file of a bone scan."""
    with _folder() as folder:
        path = folder / "scan.png"
        path.write_bytes(data)
        for view in ("anterior", "posterior,anterior"):
            _read_sound(lambda view=view: read_scintigram(path, view=view))


def _read_sound(read: Callable[[], Study | Scintigram]) -> None:
    found = _read(read)
    if isinstance(found, Study):
        _check_study(found)
    elif isinstance(found, Scintigram):
        _check_scintigram(found)


def _check_study(study: Study) -> None:
    voxels, geometry = study.volume.voxels, study.volume.geometry
    assert voxels.dtype == np.int16
    assert voxels.shape == geometry.shape
    assert min(geometry.shape) > 0
    assert np.isfinite(geometry.affine).all()
    _check_discretion(repr(study), study.warnings, study.description)


def _check_scintigram(scan: Scintigram) -> None:
    assert {view.view for view in scan.views} <= {"anterior", "posterior"}
    assert len({view.view for view in scan.views}) == len(scan.views) > 0
    for view in scan.views:
        assert view.counts.dtype == np.uint16
        assert view.counts.shape == scan.views[0].counts.shape
        assert view.counts.any()
    _check_discretion(repr(scan), scan.warnings, scan.description)


def _read(read: Callable[[], Any]) -> Any:
    """What is read, or None where it is refused; in neither case is a patient told of."""
    said: list[str] = []
    with _overheard(said):
        try:
            found = read()
        except (InputError, UsageError) as refusal:
            found, message = None, str(refusal)
            assert message
            assert "\n" not in message
            said.append(message)
    _check_discretion(*said)
    return found


@contextmanager
def _overheard(said: list[str]) -> Iterator[None]:
    """Collects what is warned of and logged meanwhile."""

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    ear, root = Ear(), logging.getLogger()
    level = root.level
    root.addHandler(ear)
    root.setLevel(logging.DEBUG)
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            yield
        said += [str(warning.message) for warning in warned]
    finally:
        root.setLevel(level)
        root.removeHandler(ear)


def _check_discretion(*said: object) -> None:
    assert not any(_holds_canary(str(each)) for each in said)


def _holds_canary(text: str) -> bool:
    return CANARY.lower() in text.lower()


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        yield Path(name)


@cache
def _sound_slices() -> dict[str, bytes]:
    """The neighbours of the slice that the corpus holds."""
    with _folder() as folder:
        Series(slices=3).write(folder)
        return {name: (folder / name).read_bytes() for name in ("IM0000.dcm", "IM0002.dcm")}

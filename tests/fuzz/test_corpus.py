"""The corpus that the repository keeps: everything that once broke a law stays mended.

A child process takes it all, so that a crash of native code is a failure of one test, and memory
can be measured.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

from osteoserve_client.reading import read_scintigram, read_study
from tests.client.reading.ct_series import Series
from tests.fuzz.seeds import CORPUS
from tests.fuzz.targets import TARGETS

#: For any one file; a fault takes minutes, or gigabytes.
LONGEST_S, MOST_MIB = 20.0, 1024


def test_every_target_holds_over_its_corpus() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.test_corpus"], capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    measured = json.loads(ended.stdout.splitlines()[-1])
    assert measured["files"] == len([path for path in CORPUS.glob("*/*") if path.is_file()])
    assert measured["slowest_s"] < LONGEST_S, measured
    assert measured["grown_mib"] < MOST_MIB, measured


def test_every_target_has_a_corpus_and_every_corpus_a_target() -> None:
    assert {folder.name for folder in CORPUS.iterdir()} == set(TARGETS)


def test_the_corpus_is_small_and_holds_nothing_but_what_was_made() -> None:
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 200_000


@pytest.mark.parametrize("name", ["explicit", "implicit", "big", "deflated", "rle"])
def test_what_fuzzing_begins_with_is_read(tmp_path: Path, name: str) -> None:
    """Else it would try no more than the refusals."""
    Series(slices=3).write(tmp_path)
    (tmp_path / "IM0001.dcm").write_bytes((CORPUS / "dicom" / name).read_bytes())
    assert read_study(tmp_path).volume.geometry.shape[0] == 3


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        *((f"nifti{n}", ".nii") for n in (1, 2)),
        *((f"nifti{n}_gz", ".nii.gz") for n in (1, 2)),
        *(("scaled", ".nii"), ("nrrd", ".nrrd"), ("nrrd_gz", ".nrrd")),
        *(("mha", ".mha"), ("mha_gz", ".mha")),
    ],
)
def test_volumes_that_fuzzing_begins_with_are_read(tmp_path: Path, name: str, suffix: str) -> None:
    path = tmp_path / f"volume{suffix}"
    path.write_bytes((CORPUS / "volume" / name).read_bytes())
    assert sorted(read_study(path).volume.geometry.shape) == [3, 4, 5]


@pytest.mark.parametrize("name", ["grey_png", "deep_png", "colour_png", "deep_tiff", "grey_tiff"])
def test_images_that_fuzzing_begins_with_are_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / "scan.png"
    path.write_bytes((CORPUS / "image" / name).read_bytes())
    assert read_scintigram(path, view="anterior").views[0].counts.shape == (24, 16)


def main() -> None:
    """Run every target over its corpus; print what it took."""
    warnings.simplefilter("error")
    slowest, files, before = 0.0, sorted(CORPUS.glob("*/*")), _peak_mib()
    for path in files:
        began = time.monotonic()
        try:
            TARGETS[path.parent.name](path.read_bytes())
        except BaseException:
            sys.stderr.write(f"{path.relative_to(CORPUS)}:\n")
            raise
        slowest = max(slowest, time.monotonic() - began)
    measured = {"files": len(files), "slowest_s": slowest, "grown_mib": _peak_mib() - before}
    sys.stdout.write(f"\n{json.dumps(measured)}\n")


def _peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


if __name__ == "__main__":
    main()

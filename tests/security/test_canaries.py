"""What stands in a header of a patient is found in the segmentation object, and nowhere else."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image, PngImagePlugin
from pydicom import Dataset

from osteoserve_client.local_service import LocalService
from tests.security.canaries import COMMENT, FILE, NAME, WORDS, found_in, mark, readable
from tests.security.watch import SHARED_MEMORY, TemporaryFiles

pytestmark = pytest.mark.slow

LOUD = (sys.executable, "-W", "always", str(Path(__file__).with_name("loud_commands.py")))
META = {
    "ObjectType": "Image",
    "Comment": COMMENT,
    "NDims": 3,
    "BinaryData": "True",
    "TransformMatrix": "1 0 0 0 1 0 0 0 1",
    "Offset": "0 0 0",
    "ElementSpacing": "1 1 1",
    "DimSize": "4 4 4",
    "ElementType": "MET_SHORT",
    "ElementDataFile": "LOCAL",
}
SEGMENTATIONS = ("skeleton.seg.dcm", "regions.seg.dcm")


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CT and a bone scan of the patient, each also as an image, in folders of that name."""
    folder = tmp_path_factory.mktemp("studies") / FILE
    loud("phantom", "ct", "-o", folder / "ct", "--slices", "8", "--labels")
    loud("phantom", "scintigraphy", "-o", folder / "scan", "--labels")
    for number, path in enumerate(sorted(folder.glob("*/dicom/*.dcm"))):
        edit(path, mark)
        path.rename(path.with_name(f"{FILE}{number}.dcm"))
    image = nibabel.load(folder / "ct" / "labels.nii.gz")
    hounsfield = np.where(np.asarray(image.dataobj) > 0, 700, -1000).astype(np.int16)
    hounsfield[20:40, 20:40] = -50
    with_text = nibabel.Nifti1Image(hounsfield, image.affine)
    with_text.header["descrip"], with_text.header["db_name"] = COMMENT, NAME
    nibabel.save(with_text, folder / f"{FILE}.nii.gz")
    return folder


def edit(path: Path, change: Callable[[Dataset], None]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's of what is wrong on purpose
        dataset = pydicom.dcmread(path)
        change(dataset)
        dataset.save_as(path, enforce_file_format=True)


def loud(*arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    return loudly([list(map(str, arguments))], codes=[code])


def loudly(commands: list[list[str]], *, codes: list[int]) -> subprocess.CompletedProcess[str]:
    ended = subprocess.run(
        [*LOUD, json.dumps(commands)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    found = [line for line in ended.stdout.splitlines() if " ended with " in line]
    assert [int(line.rpartition(" ")[2]) for line in found] == codes, ended.stderr
    return ended


@dataclass(frozen=True)
class Loud:
    """A service that says all it can.

    Args:
        address: Where it is.
        folder: Its log, its audit log and Triton's.
    """

    address: str
    folder: Path


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TemporaryFiles]:
    """Everything that is written where temporary files go."""
    folder = tmp_path_factory.mktemp("temporary")
    with pytest.MonkeyPatch.context() as patch, TemporaryFiles(folder) as held:
        patch.setenv("TMPDIR", str(folder))
        yield held


@pytest.fixture(scope="module")
def service(temporary: TemporaryFiles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loud]:
    folder = tmp_path_factory.mktemp("service")
    serve = ("serve", "--port", "0", "--announce", "--audit-log", folder / "audit.jsonl")
    serve += ("--log-level", "debug", "--metrics-address", "127.0.0.1:0")
    command = [*map(str, serve), "--triton-log", str(folder / "triton.log")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        with LocalService(
            log=folder / "service.log", command=(*LOUD, json.dumps([command]))
        ) as local:
            yield Loud(local.address, folder)


def test_sound_studies(
    service: Loud, studies: Path, temporary: TemporaryFiles, tmp_path: Path
) -> None:
    at = ["--server", service.address]
    spots = np.zeros((1024, 256), np.uint8)
    spots[300:310, 120:130] = 255
    Image.fromarray(spots).save(tmp_path / "hot.png")
    views = ("anterior", "posterior")
    hot = [option for view in views for option in ("--hotspots", f"{view}={tmp_path}/hot.png")]
    predicted = ["--predictions", f"{tmp_path}/out/ct/skeleton.nii.gz"]
    kept = ["-o", f"{tmp_path}/out/evaluation"]
    out = tmp_path / "out"
    done = loudly(
        [
            ["segment", f"{studies}/ct/dicom", "-o", f"{out}/ct", *at],
            ["segment", f"{studies}/scan/dicom", "-o", f"{out}/scan", *at, "--json"],
            ["segment", f"{studies}/{FILE}.nii.gz", "-o", f"{out}/nifti", *at],
            ["bsi", f"{studies}/scan/dicom", *hot, "-o", f"{out}/bsi", *at],
            ["bsi", f"{studies}/scan/dicom", *hot, "--regions", f"{out}/scan"],
            ["evaluate", "--references", f"{studies}/ct/labels.nii.gz", *predicted, *kept],
            ["models", *at],
            ["batch", f"{studies}/ct/dicom", f"{studies}/scan/dicom", "-o", f"{out}/batch", *at],
        ],
        codes=[0] * 8,
    )
    assert found_in((done.stdout + done.stderr).encode(), WORDS) == set()
    written = [path for path in out.rglob("*") if path.is_file()]
    for path in written:
        found = found_in(readable(path), WORDS)
        assert bool(found) == (path.name in SEGMENTATIONS), (path.name, found)
    reports = [path for path in written if path.suffix in (".json", ".csv", ".png", ".gz")]
    assert len(reports) > 10
    for path in reports:
        assert found_in(readable(path), (FILE,)) == set(), path.name
    nothing_in(service)


def refused(studies: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """Inputs of every class of refusal, and the words by which each is known."""

    def ct(name: str, *changes: tuple[int, Callable[[Dataset], None]]) -> Path:
        copy = shutil.copytree(studies / "ct" / "dicom", folder / name)
        paths = sorted(copy.iterdir())
        for index, change in changes:
            edit(paths[index], change)
        return copy

    yield "differ in Patient ID", ct("mixed", (3, lambda ds: ds.__setattr__("PatientID", NAME)))
    missing = ct("missing")
    sorted(missing.iterdir())[3].unlink()
    yield "missing", missing
    every = range(8)
    yield "not CT", ct("mr", *((n, lambda ds: ds.__setattr__("Modality", "MR")) for n in every))
    words = ct("words", *((n, wrong_values) for n in every))
    yield "PixelSpacing", words
    truncated = ct("truncated")
    path = sorted(truncated.iterdir())[3]
    path.write_bytes(path.read_bytes()[:-1000])
    yield "truncated", truncated
    header = ct("header")
    path = sorted(header.iterdir())[3]
    path.write_bytes(path.read_bytes()[:900])
    yield "osteoserve", header
    rubbish = folder / "rubbish"
    rubbish.mkdir()
    (rubbish / f"{FILE}.dcm").write_bytes(bytes(128) + b"DICM" + NAME.encode() * 99)
    yield "osteoserve", rubbish
    nifti = folder / f"{FILE}.nii.gz"
    nifti.write_bytes((studies / f"{FILE}.nii.gz").read_bytes()[:-200])
    yield "damaged", nifti
    meta = folder / f"{FILE}.mha"
    meta.write_text(f"ObjectType = Image\nComment = {NAME}\n{NAME} = {COMMENT}\nNDims = {NAME}\n")
    yield "damaged", meta
    nrrd = folder / f"{FILE}.nrrd"
    nrrd.write_text(f"NRRD0004\n# {NAME}\n{NAME}:={COMMENT}\ntype: {NAME}\nsizes: {NAME}\n\n")
    yield "damaged", nrrd
    text = PngImagePlugin.PngInfo()
    text.add_text(NAME, COMMENT)
    png = folder / f"{FILE}.png"
    Image.new("LA", (20, 20)).save(png, pnginfo=text)
    yield "no grey values", png
    tiff = folder / f"{FILE}.tiff"
    Image.new("LA", (20, 20)).save(tiff, description=NAME, artist=COMMENT)
    yield "no grey values", tiff
    for number, field in enumerate(("ElementType", "ElementDataFile", "CompressedData", "DimSize")):
        lines = META | {field: NAME, "Comment": COMMENT}
        meta = folder / f"{FILE}{number}.mha"
        meta.write_text("".join(f"{key} = {value}\n" for key, value in lines.items()))
        yield "osteoserve", meta
    (folder / "torn").mkdir()
    torn = folder / "torn" / f"{FILE}.png"
    torn.write_bytes(png.read_bytes()[:-40])
    yield "damaged", torn


def wrong_values(dataset: Dataset) -> None:
    """The patient's name where numbers, dates, codes and character sets belong."""
    with pydicom.config.disable_value_validation():
        for tag, vr in (
            *((0x00100030, "DA"), (0x00101010, "AS"), (0x00080030, "TM"), (0x00101030, "DS")),
            *((0x00280030, "DS"), (0x00200013, "IS"), (0x0020000E, "UI"), (0x00080005, "CS")),
        ):
            dataset[tag] = pydicom.dataelem.RawDataElement(
                pydicom.tag.Tag(tag), vr, 10, NAME.encode(), 0, False, True
            )


def test_refusals(service: Loud, studies: Path, temporary: TemporaryFiles, tmp_path: Path) -> None:
    cases = list(refused(studies, tmp_path / "in"))
    view = {suffix: ["--view", "anterior"] for suffix in (".png", ".tiff")}
    more = ["-o", str(tmp_path / "out"), "--server", service.address]
    commands = [["segment", str(path), *more, *view.get(path.suffix, [])] for _, path in cases]
    ended = loudly(commands, codes=[3] * len(cases))
    assert found_in((ended.stdout + ended.stderr).encode(), WORDS) == set()
    said = ended.stderr.split("== segment\n")[1:]
    for (words, path), text in zip(cases, said, strict=True):
        assert words in text, (path.name, text)
    assert not (tmp_path / "out").exists()
    nothing_in(service)


def test_temporary_files(studies: Path, temporary: TemporaryFiles, tmp_path: Path) -> None:
    """With a service that the command starts and ends; of those above too."""
    loud("segment", studies / "ct" / "dicom", "-o", tmp_path / "out")
    for kind in ("osteoserve-run-", f"{SHARED_MEMORY}osteoserve_"):
        assert any(kind in name for name in temporary.names), "they were seen"
    assert found_in("\n".join(temporary.names).encode(), (*WORDS, FILE)) == set()
    held = list(temporary.contents())
    assert any(b"GRPCInferenceService" in each for each in held), "Triton's log has no name"
    for content in held:
        assert found_in(content, (*WORDS, FILE)) == set()


def nothing_in(service: Loud) -> None:
    """Neither logs nor metrics, Triton's included, tell of a patient, or what files are called."""
    (address,) = re.findall(
        r"metrics on (http://\S+)", (service.folder / "service.log").read_text()
    )
    with urllib.request.urlopen(address) as answer:  # noqa: S310 - our own
        metrics = answer.read()
    assert b"osteoserve_requests" in metrics
    assert b"nv_inference" in metrics
    assert found_in(metrics, (*WORDS, FILE)) == set()
    for name in ("service.log", "audit.jsonl", "triton.log"):
        path = service.folder / name
        assert path.stat().st_size > 0
        assert found_in(path.read_bytes(), (*WORDS, FILE)) == set(), name


def test_words_are_found_in_whatever_way_they_are_written() -> None:
    plain = NAME.encode()
    forms = [plain, plain.lower(), NAME.encode("utf-16-le"), plain.hex().encode()]
    forms += [base64.b64encode(b"x" * before + plain + b"yz") for before in range(4)]
    for text in forms:
        assert found_in(b"before " + text + b" after", WORDS) == {NAME}
    assert found_in(b"nothing of the kind", WORDS) == set()

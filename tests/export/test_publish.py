"""A checkpoint becomes a model that a real Triton serves, or nothing at all is written."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'export' is not installed")

from click.testing import CliRunner  # noqa: E402
from google.protobuf import text_format  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from tritonclient.grpc import model_config_pb2  # noqa: E402

from osteoserve_export.checkpoints import save_checkpoint  # noqa: E402
from osteoserve_export.cli import main  # noqa: E402
from osteoserve_export.specification import read_specification  # noqa: E402
from osteoserve_preprocessing.inference.parameters import contract_from_config  # noqa: E402
from osteoserve_preprocessing.profiles import computes_bf16  # noqa: E402
from tests.export.graphs.test_segmentation import briefly_trained  # noqa: E402

#: A network of the user's own, in a file that only the current directory knows.
OWN = """
import torch

class Bright(torch.nn.Module):
    size_multiple = 8

    def __init__(self, width):
        super().__init__()
        self.first = torch.nn.Conv2d(1, width, 3, padding=1)
        self.last = torch.nn.Conv2d(width, 1, 1)

    def forward(self, grey):
        return self.last(torch.relu(self.first(grey)))

def factory(width):
    return Bright(width)
"""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "box.safetensors"
    save_checkpoint(briefly_trained(), path)
    return path


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trunk of water with a spine, as NIfTI."""
    nibabel = pytest.importorskip("nibabel")
    y, x = np.mgrid[:96, :112]
    body = ((y - 48) / 38) ** 2 + ((x - 56) / 50) ** 2 < 1
    bone = (y - 66) ** 2 + (x - 56) ** 2 < 11**2
    noise = np.random.default_rng(0).normal(0, 12, (4, 96, 112))
    voxels = (np.where(bone, 600, np.where(body, 40, -1000)) + noise).astype(np.int16)
    affine = np.diag([-3.0, -3.0, 5.0, 1.0])
    path = tmp_path_factory.mktemp("study") / "trunk.nii.gz"
    nibabel.save(nibabel.Nifti1Image(voxels.transpose(2, 1, 0), affine), path)
    return path


def run(*words: object):
    return CliRunner().invoke(main, [str(word) for word in words])


def options(study: Path, repository: Path) -> list[object]:
    spacing = ["--pixel-spacing", 3.0, "--pixel-spacing-range", "2,4"]
    return [*spacing, "--study", study, "--repository", repository]


@pytest.fixture(scope="module")
def repository(weights: Path, study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    done = run(
        *("export", "unet", "--weights", weights, "--name", "box", "--labels", "skeleton"),
        *options(study, folder),
    )
    assert done.exit_code == 0, done.output
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_folder_is_what_triton_and_a_person_need(repository: Path) -> None:
    in_bf16 = {"box/configs/bf16.pbtxt"} if computes_bf16() else set()
    assert set(contents(repository)) == in_bf16 | {
        "box/1/model.onnx",
        "box/config.pbtxt",
        "box/configs/cpu.pbtxt",
        "box/configs/gpu.pbtxt",
        "box/configs/tensorrt.pbtxt",
        "box/export.toml",
        "box/export_report.json",
        "box/export_report.md",
        "box/labels.txt",
    }


def test_the_contract_states_what_was_asked_for(repository: Path) -> None:
    text = (repository / "box" / "config.pbtxt").read_text(encoding="utf-8")
    contract = contract_from_config(text_format.Parse(text, model_config_pb2.ModelConfig()), "1")
    digest = hashlib.sha256((repository / "box" / "1" / "model.onnx").read_bytes()).hexdigest()
    assert (contract.digest, contract.size_multiple) == (digest, 16)
    assert (contract.pixel_spacing_mm, contract.pixel_spacing_range_mm) == (3.0, (2.0, 4.0))
    assert (repository / "box" / "labels.txt").read_text() == "background\nskeleton\n"


def test_no_path_of_the_machine_is_in_the_file(repository: Path) -> None:
    content = (repository / "box" / "1" / "model.onnx").read_bytes()
    assert str(Path(__file__).parents[2]).encode() not in content
    assert b"site-packages" not in content
    assert b".py" not in content


def test_the_report_names_every_runtime_and_how_to_recompute(repository: Path) -> None:
    report = json.loads((repository / "box" / "export_report.json").read_text())
    runtimes = {row["runtime"].split()[0] for row in report["parity"]["comparisons"]}
    assert runtimes == {"ONNX", "OpenVINO", "Triton"}
    assert report["parity"]["least_dice"] >= 0.999
    assert report["parity"]["largest_logit_error"] < 1e-4
    assert report["parameters"] == sum(p.numel() for p in briefly_trained().parameters())
    page = (repository / "box" / "export_report.md").read_text()
    assert report["weights"]["sha256"] in page
    assert all(command in page for command in report["recompute"])


def test_bf16_is_served_where_it_was_proved_and_the_report_says_so(repository: Path) -> None:
    report = json.loads((repository / "box" / "export_report.json").read_text())
    page = (repository / "box" / "export_report.md").read_text()
    if not computes_bf16():
        assert report["parity_in_bf16"] is None
        assert "No profile for bf16: this CPU does not compute in bf16." in page
        return
    text = (repository / "box" / "configs" / "bf16.pbtxt").read_text(encoding="utf-8")
    contract = contract_from_config(text_format.Parse(text, model_config_pb2.ModelConfig()), "1")
    assert contract.precision == "bf16"
    assert report["parity_in_bf16"]["least_dice"] >= 0.999
    rows = report["parity_in_bf16"]["comparisons"]
    assert {row["study"] for row in rows} == {"trunk.nii.gz"}
    assert "In bf16: Least Dice" in page


@pytest.mark.skipif(not computes_bf16(), reason="needs a CPU that computes in bf16")
def test_a_network_that_bf16_changes_has_no_profile_for_it(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It adds 100 to grey values between 0 and 1, where bf16 counts in halves."""
    (tmp_path / "fine_network.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    centre = torch.zeros(1, 1, 3, 3)
    centre[0, 0, 1, 1] = 1.0
    weights = {
        "first.weight": centre,
        "first.bias": torch.tensor([100.0]),
        "last.weight": torch.ones(1, 1, 1, 1),
        "last.bias": torch.tensor([-100.0 - 33.5 / 255.0]),
    }
    save_file(weights, tmp_path / "fine.safetensors")
    done = run("export", "fine_network:factory", "--option", "width=1", "--name", "fine",
               "--weights", "fine.safetensors", "--labels", "skeleton",
               *options(study, tmp_path / "repository"))  # fmt: skip
    assert done.exit_code == 0, done.output
    assert not (tmp_path / "repository" / "fine" / "configs" / "bf16.pbtxt").exists()
    page = (tmp_path / "repository" / "fine" / "export_report.md").read_text()
    for said in (page, done.output):
        assert re.search(r"No profile for bf16: Triton .* only to a Dice of 0\.\d+", said)


def test_the_proof_can_be_recomputed_and_another_model_has_none(
    repository: Path, weights: Path, study: Path, tmp_path: Path
) -> None:
    done = run("parity", repository / "box", "--weights", weights, "--study", study)
    assert done.exit_code == 0, done.output
    assert "agree" in done.output
    save_checkpoint(briefly_trained(seed=1), tmp_path / "other.safetensors")
    done = run("parity", repository / "box", "--weights", tmp_path / "other.safetensors",
               "--study", study)  # fmt: skip
    assert done.exit_code == 3
    assert "only to a Dice of" in done.output


def test_an_export_can_be_repeated_from_its_specification(
    repository: Path, weights: Path, study: Path, tmp_path: Path
) -> None:
    written = repository / "box" / "export.toml"
    again = ["--repository", tmp_path, "--study", study]
    done = run("export", "--config", written, "--weights", weights, *again)
    assert done.exit_code == 0, done.output
    first, second = contents(repository), contents(tmp_path)
    assert first["box/1/model.onnx"] == second["box/1/model.onnx"]
    assert first["box/config.pbtxt"] == second["box/config.pbtxt"]


def test_a_second_version_is_served_and_the_first_is_kept(
    repository: Path, study: Path, tmp_path: Path
) -> None:
    shutil.copytree(repository, tmp_path / "copy")
    save_checkpoint(briefly_trained(seed=1), tmp_path / "other.safetensors")
    done = run("export", "--config", repository / "box" / "export.toml", "--version", 2,
               "--weights", tmp_path / "other.safetensors", "--study", study,
               "--repository", tmp_path / "copy")  # fmt: skip
    assert done.exit_code == 0, done.output
    files = contents(tmp_path / "copy")
    assert files["box/1/model.onnx"] == contents(repository)["box/1/model.onnx"]
    assert b"versions: 2" in files["box/config.pbtxt"]
    assert read_specification(tmp_path / "copy" / "box" / "export.toml", {}).version == 2


def test_a_network_of_the_user_s_own(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bright_network.py").write_text(OWN)
    torch.manual_seed(0)
    first = torch.nn.Conv2d(1, 3, 3, padding=1)
    last = torch.nn.Conv2d(3, 1, 1)
    torch.nn.init.constant_(first.weight, 0.2)
    torch.nn.init.constant_(last.weight, 1.0)
    torch.nn.init.constant_(last.bias, -3.0)
    state = {"first.weight": first.weight, "first.bias": first.bias}
    state |= {"last.weight": last.weight, "last.bias": last.bias}
    torch.save(state, tmp_path / "own.pt")
    done = run("export", "bright_network:factory", "--option", "width=3", "--name", "own",
               "--weights", "own.pt", "--labels", "bright thing", *options(study, tmp_path / "r"),
               )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "bright thing" in (tmp_path / "r" / "own" / "export_report.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_checkpoint_of_segmentation_models_pytorch(
    study: Path, tmp_path: Path, precision: str
) -> None:
    smp = pytest.importorskip("segmentation_models_pytorch")
    torch.manual_seed(3)
    network = smp.Unet("resnet18", encoder_weights=None, in_channels=1, classes=3).eval()
    torch.save({"state_dict": network.state_dict()}, tmp_path / "smp.pt")
    done = run("export", "resnet_unet", "--weights", tmp_path / "smp.pt", "--name", "pelvis",
               "--labels", "patient,bone", "--precision", precision,
               *options(study, tmp_path / "r"),
               *(["--probabilities"] if precision == "fp32" else []))  # fmt: skip
    assert done.exit_code == 0, done.output
    text = (tmp_path / "r" / "pelvis" / "config.pbtxt").read_text()
    contract = contract_from_config(text_format.Parse(text, model_config_pb2.ModelConfig()), "1")
    assert contract.file_precision == precision
    assert [label.name for label in contract.labels] == ["patient", "bone"]


@pytest.mark.slow
def test_what_int8_costs_is_said_or_nothing_is_written(
    weights: Path, study: Path, tmp_path: Path
) -> None:
    done = run("export", "unet", "--weights", weights, "--name", "box", "--labels", "skeleton",
               "--precision", "int8", "--tolerance", 0.9, *options(study, tmp_path / "r"),
               )  # fmt: skip
    if done.exit_code:
        # Which convolutions bear it depends on the runtime and on the processor's arithmetic.
        assert "cannot become int8" in done.output or "only to a Dice of" in done.output
        assert not (tmp_path / "r" / "box").exists()
        return
    page = (tmp_path / "r" / "box" / "export_report.md").read_text()
    assert "changed by the user" in page
    assert "Convolutions in int8: " in page


class Code:
    """Code that a pickle would run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize(
    ("change", "code", "word"),
    [
        ({"--weights": "missing_key.safetensors"}, 3, "missing_key.safetensors"),
        ({"--weights": "pickle.pt"}, 3, "state_dict"),
        ({"--weights": "garbage.safetensors"}, 3, "garbage.safetensors"),
        ({"--labels": "patient,bone"}, 3, "argmax needs"),
        ({"--name": "../box"}, 3, "name"),
        ({"--study": "garbage.safetensors"}, 3, "garbage"),
        ({"ARCH": "no_such_network"}, 3, "no_such_network"),
        ({"ARCH": "mask_rcnn"}, 3, "mask_rcnn is for detection, which has no"),
        ({"--repository": "garbage.safetensors"}, 6, "could not be written"),
        ({"--format": "onnx,tensorrt"}, 3, "GPU"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_broken_input_is_one_line_and_changes_nothing(
    weights: Path, study: Path, tmp_path: Path, change: dict[str, str], code: int, word: str
) -> None:
    state = {name: value.contiguous() for name, value in briefly_trained().state_dict().items()}
    del state["head.weight"]
    from safetensors.torch import save_file

    save_file(state, tmp_path / "missing_key.safetensors")
    torch.save({"network": Code(tmp_path / "executed")}, tmp_path / "pickle.pt")
    (tmp_path / "garbage.safetensors").write_bytes(b"garbage")
    words = {"ARCH": "unet", "--weights": weights, "--name": "box", "--labels": "skeleton",
             "--pixel-spacing": 3.0, "--pixel-spacing-range": "2,4", "--study": study,
             "--repository": tmp_path / "repository"}  # fmt: skip
    for key, value in change.items():
        words[key] = tmp_path / value if (tmp_path / value).is_file() else value
    before = contents(tmp_path)
    done = run("export", words.pop("ARCH"), *(part for item in words.items() for part in item))
    assert done.exit_code == code, done.output
    assert word in done.output
    assert len(done.output.strip().splitlines()) <= 2, done.output
    assert done.output.strip().splitlines()[-1].startswith("Error: ")
    assert contents(tmp_path) == before
    assert not (tmp_path / "repository").exists()
    assert not (tmp_path / "executed").exists()


def test_an_existing_version_stays(repository: Path, weights: Path, study: Path) -> None:
    before = contents(repository)
    done = run("export", "--config", repository / "box" / "export.toml", "--weights", weights,
               "--study", study, "--repository", repository)  # fmt: skip
    assert done.exit_code == 6
    assert "version 1 already" in done.output
    assert contents(repository) == before


def test_a_tolerance_is_never_hidden(repository: Path) -> None:
    from osteoserve_export.report import as_page

    asked = read_specification(repository / "box" / "export.toml", {})
    report = _report(asked, dice=0.97)
    assert "changed by the user" not in as_page(report)
    loose = dataclasses.replace(asked, least_dice=0.9)
    assert "0.9 (**changed by the user**" in as_page(_report(loose, dice=0.97))


def _report(asked, *, dice: float):
    from osteoserve_export.parity.proof import SegmentationProof
    from osteoserve_export.parity.rows import Row
    from osteoserve_export.report import ExportReport, FileRecord

    row = Row("Triton 2", "study", (1, 2, 3), 1, "skeleton", 9, dice)
    file = FileRecord("1/model.onnx", 3, "ab" * 32)
    return ExportReport(weights=file, parameters=1, folded=0, files=(file,),
                        proof=SegmentationProof(asked, (row,)))  # fmt: skip

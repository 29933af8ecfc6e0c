"""A Mask R-CNN of torchvision becomes a model that a real Triton serves, or nothing is written."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path

import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="the extra 'export' is not installed")
pytest.importorskip("torchvision", reason="the extra 'export' is not installed")

from click.testing import CliRunner  # noqa: E402 - only where torch is
from google.protobuf import text_format  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from tritonclient.grpc import model_config_pb2  # noqa: E402

from osteoserve_export.checkpoints import save_checkpoint  # noqa: E402
from osteoserve_export.cli import main  # noqa: E402
from osteoserve_export.parity.detection_reference import DetectionReference  # noqa: E402
from osteoserve_export.parity.detections import match_detections  # noqa: E402
from osteoserve_preprocessing.inference import (  # noqa: E402
    DetectionContract,
    TritonSession,
    contract_from_config,
)
from osteoserve_preprocessing.triton import EmbeddedTriton  # noqa: E402
from tests.export.graphs.detector import FEW, varied_detector, views  # noqa: E402

SIZE = (288, 224)
LABELS = "skull,spine,chest,pelvis,femurs"
RUNTIMES = {"ONNX", "OpenVINO", "Triton"}


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def run(*words: object):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights, and two images of both views."""
    folder = tmp_path_factory.mktemp("given")
    save_checkpoint(varied_detector(size=SIZE), folder / "detector.safetensors")
    for number, grey in enumerate(views(2, SIZE, seed=11)):
        Image.fromarray(grey).save(folder / f"scan{number}.png")
    return folder


def words(given: Path, repository: Path) -> list[object]:
    options = [f"--option={name}={value}" for name, value in FEW]
    options.append(f"--option=fixed_size={list(SIZE[::-1])}")
    studies = [f"--study={given / f'scan{number}.png'}" for number in range(2)]
    sizes = ["--image-size", ",".join(map(str, SIZE)), "--max-batch", 4]
    return ["export", "mask_rcnn", "--weights", given / "detector.safetensors", "--name", "found",
            "--labels", LABELS, *sizes, *options, *studies, "--repository", repository]  # fmt: skip


@pytest.fixture(scope="module")
def repository(given: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    done = run(*words(given, folder))
    assert done.exit_code == 0, done.output
    return folder


@pytest.mark.slow
def test_the_folder_is_what_triton_and_a_person_need(repository: Path) -> None:
    files = contents(repository / "found")
    assert set(files) == {
        "1/model.onnx",
        "config.pbtxt",
        "configs/cpu.pbtxt",
        "configs/gpu.pbtxt",
        "configs/tensorrt.pbtxt",
        "export.toml",
        "export_report.json",
        "export_report.md",
        "labels.txt",
    }
    assert files["labels.txt"].decode().split() == ["background", *LABELS.split(",")]
    assert str(Path(__file__).parents[2]).encode() not in files["1/model.onnx"]
    assert b"site-packages" not in files["1/model.onnx"]


@pytest.mark.slow
def test_the_contract_states_what_was_asked_for(repository: Path) -> None:
    text = (repository / "found" / "config.pbtxt").read_text(encoding="utf-8")
    contract = contract_from_config(text_format.Parse(text, model_config_pb2.ModelConfig()), "1")
    assert isinstance(contract, DetectionContract)
    content = (repository / "found" / "1" / "model.onnx").read_bytes()
    assert contract.digest == hashlib.sha256(content).hexdigest()
    assert (contract.modality, contract.image_size) == ("NM", SIZE)
    assert (contract.detections, contract.mask_cells, contract.max_batch) == (100, 28, 4)
    assert [label.name for label in contract.labels] == LABELS.split(",")


@pytest.mark.slow
def test_the_report_tells_machines_and_people(repository: Path) -> None:
    report = json.loads((repository / "found" / "export_report.json").read_text())["parity"]
    assert report["least_match_rate"] == 1.0
    assert report["least_dice"] >= 0.999
    assert report["largest_score_error"] < 1e-3
    for rows in (report["detections"], report["comparisons"]):
        assert {row["runtime"].split()[0] for row in rows} == RUNTIMES
        assert {row["batch"] for row in rows} == {1, 3}
        assert {row["study"] for row in rows} == {"scan0.png", "scan1.png", "ellipses 288x224"}
    page = (repository / "found" / "export_report.md").read_text()
    assert "changed by the user" not in page
    assert "| 100.0% |" in page
    assert "Images of 288x224 pixels are seen at 288x224, by the options fixed_size=224,288" in page
    (header,) = (line for line in page.splitlines() if line.startswith("| study | label |"))
    assert all(runtime in header for runtime in RUNTIMES)
    assert "osteoserve parity found --weights detector.safetensors --study scan0.png" in page


@pytest.mark.slow
def test_triton_finds_what_torchvision_finds(repository: Path) -> None:
    grey = views(3, SIZE, seed=21)
    reference = DetectionReference(varied_detector(size=SIZE))

    async def ask(address: str):
        async with TritonSession(address) as session:
            contract = await session.contract("found")
            assert isinstance(contract, DetectionContract)
            await session.canary(contract)
            return await session.detect(contract, grey, timeout_s=120)

    with EmbeddedTriton(repository) as triton:
        found = asyncio.run(ask(triton.grpc_address))
    agreement = match_detections([reference.find(view).detections for view in grey], found)
    assert agreement.rate == 1.0, agreement.lone
    assert agreement.score_error < 1e-3
    assert agreement.mean_dice > 0.999


@pytest.mark.slow
def test_the_proof_can_be_recomputed_and_another_checkpoint_has_none(
    repository: Path, given: Path, tmp_path: Path
) -> None:
    study = ["--study", given / "scan0.png", "--study", given / "scan1.png"]
    before = contents(repository)
    done = run("parity", repository / "found", "--weights", given / "detector.safetensors", *study)
    assert done.exit_code == 0, done.output
    assert "comparisons agree" in done.output
    other = load_file(given / "detector.safetensors")
    other["roi_heads.box_predictor.bbox_pred.bias"] += 0.4
    save_file(other, tmp_path / "other.safetensors")
    done = run("parity", repository / "found", "--weights", tmp_path / "other.safetensors", *study)
    assert done.exit_code == 3
    assert "detections match" in done.output
    assert "rounding" not in done.output, "these weights are others, not undecided ones"
    assert contents(repository) == before


@pytest.mark.slow
def test_half_precision_is_repeated_from_the_specification_with_its_tolerances_in_bold(
    repository: Path, given: Path, tmp_path: Path
) -> None:
    # The heads of this detector magnify rounding: a trained network needs no tolerance.
    loose = ["--match-rate", 0.9, "--score-tolerance", 0.3, "--tolerance", 0.8]
    asked = ["--config", repository / "found" / "export.toml", "--precision", "fp16", *loose]
    studies = ["--study", given / "scan0.png", "--study", given / "scan1.png"]
    weights = given / "detector.safetensors"
    done = run("export", *asked, "--weights", weights, *studies, "--repository", tmp_path / "r")
    assert done.exit_code == 0, done.output
    before, after = (
        (folder / "found" / "1" / "model.onnx").stat().st_size
        for folder in (repository, tmp_path / "r")
    )
    assert after < 0.6 * before
    page = (tmp_path / "r" / "found" / "export_report.md").read_text()
    assert page.count("**changed by the user**; the default is") == 3
    text = (tmp_path / "r" / "found" / "config.pbtxt").read_text()
    contract = contract_from_config(text_format.Parse(text, model_config_pb2.ModelConfig()), "1")
    assert contract.file_precision == "fp16"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (["--labels", "skull,spine"], "6 classes with background; 2 labels need 3"),
        (["--precision", "int8"], "not in int8"),
        (["--space-to-depth"], "no space_to_depth"),
        (["--window", "0,300"], "no window_hu"),
        (["--image-size", "950,512"], "makes an image of 288x224; the model takes 950x512"),
        (["--study", Path(__file__)], "no DICOM"),
        (["--option", "depth=3"], "no option is called 'depth'"),
    ],
    ids=lambda value: str(value[0]) if isinstance(value, list) else "",
)
def test_broken_input_is_one_line_and_changes_nothing(
    given: Path, tmp_path: Path, change: list[object], word: str
) -> None:
    done = run(*words(given, tmp_path / "r"), *change)
    assert done.exit_code == 3, done.output
    assert word in done.output
    assert len(done.output.strip().splitlines()) == 1, done.output
    assert not contents(tmp_path)


def test_a_label_that_is_never_found_is_named(given: Path, tmp_path: Path) -> None:
    weights = tmp_path / "shy.safetensors"
    network = varied_detector(size=SIZE)
    state = {name: value.clone() for name, value in network.state_dict().items()}
    state["roi_heads.box_predictor.cls_score.bias"][3] -= 100.0
    save_file(state, weights)
    done = run(*words(given, tmp_path / "r"), "--weights", weights)
    assert done.exit_code == 3, done.output
    assert "the network finds no chest in the trial images" in done.output


@pytest.mark.slow
def test_a_network_whose_answers_hang_on_rounding_is_refused_with_that_reason(
    given: Path, tmp_path: Path
) -> None:
    """All scores are nearly equal, so the last digit decides which boxes stay."""
    weights = tmp_path / "undecided.safetensors"
    state = {
        name: value.clone() for name, value in load_file(given / "detector.safetensors").items()
    }
    state["roi_heads.box_predictor.cls_score.weight"] *= 1e-7
    state["roi_heads.box_predictor.cls_score.bias"] *= 0.0
    save_file(state, weights)
    done = run(*words(given, tmp_path / "r"), "--weights", weights)
    assert done.exit_code == 3, done.output
    assert "the answers hang on rounding: PyTorch in float64" in done.output
    assert not (tmp_path / "r" / "found").exists()


@pytest.mark.slow
def test_a_plan_needs_a_gpu_and_says_so(given: Path, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU, for which a plan is built")
    done = run(*words(given, tmp_path / "r"), "--format", "onnx,tensorrt")
    assert done.exit_code == 3
    assert "no NVIDIA GPU on this machine" in done.output
    assert "--minShapes=views:1x288x224" in done.output
    assert not contents(tmp_path)

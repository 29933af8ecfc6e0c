"""The model that is in the repository: what its contract and its card say."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from osteoserve_preprocessing.inference.parameters import contract_from_config

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "model_repository" / "unet_skeleton"
CHECKPOINT = ROOT / "export" / "checkpoints" / "unet_skeleton.safetensors"


@pytest.fixture(scope="module")
def served():
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(
        MODEL / "1" / "model.onnx", options, providers=["CPUExecutionProvider"]
    )
    return lambda slices: session.run(["labels"], {"slices": slices})[0]


@pytest.mark.parametrize(
    "name", ["config.pbtxt", "configs/cpu.pbtxt", "configs/gpu.pbtxt", "configs/tensorrt.pbtxt"]
)
def test_the_digest_is_that_of_the_file(name):
    text = (MODEL / name).read_text(encoding="utf-8")
    contract = contract_from_config(text_format.Parse(text, model_config_pb2.ModelConfig()), "1")
    digest = hashlib.sha256((MODEL / "1" / "model.onnx").read_bytes()).hexdigest()
    assert contract.digest == digest
    assert (contract.window.lower, contract.window.upper) == (0, 300)
    assert contract.size_multiple == 16


def test_the_card_says_what_the_model_is():
    card = (MODEL / "MODEL_CARD.md").read_text(encoding="utf-8")
    for word in ("not a medical device", "TotalSegmentator", "held out", "Licence"):
        assert word.lower() in card.lower()


def test_the_file_answers_as_the_committed_checkpoint(served):
    pytest.importorskip("torch", reason="the extra 'export' is not installed")
    from osteoserve_export.architectures import build_network
    from osteoserve_export.checkpoints import read_weights
    from osteoserve_export.parity.proof import expectations
    from osteoserve_export.parity.reference import Reference
    from osteoserve_export.parity.trials import ellipses
    from osteoserve_export.specification import read_specification

    asked = read_specification(MODEL / "export.toml", {})
    network = build_network(asked.architecture, read_weights(CHECKPOINT), asked.options)
    (expected,) = expectations(Reference(network, asked, channels=1), [ellipses(3, 96, 80)], asked)
    np.testing.assert_array_equal(served(expected.trial.images), expected.labels)


def test_the_report_is_of_this_file_and_this_checkpoint():
    report = json.loads((MODEL / "export_report.json").read_text(encoding="utf-8"))
    assert [file["path"] for file in report["files"]] == ["1/model.onnx"]
    for entry, path in (
        (report["files"][0], MODEL / "1/model.onnx"),
        (report["weights"], CHECKPOINT),
    ):
        assert entry["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert report["parity"]["least_dice"] >= 0.999


def test_nothing_is_found_in_nothing(served):
    assert not served(np.zeros((2, 64, 64), dtype=np.uint8)).any()

"""The model that is in the repository: what its contract and its card say."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from osteoserve_preprocessing.inference.contract import contract_from_config

MODEL = Path(__file__).resolve().parents[2] / "model_repository" / "unet_skeleton"


@pytest.fixture(scope="module")
def served():
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(
        MODEL / "1" / "model.onnx", options, providers=["CPUExecutionProvider"]
    )
    return lambda slices: session.run(["labels"], {"slices": slices})[0]


@pytest.mark.parametrize("name", ["config.pbtxt", "configs/cpu.pbtxt", "configs/gpu.pbtxt"])
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


def test_nothing_is_found_in_nothing(served):
    assert not served(np.zeros((2, 64, 64), dtype=np.uint8)).any()

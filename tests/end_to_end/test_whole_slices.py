"""A network that sees slices as a whole is shown them whole, and labels what it was taught."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'export' is not installed")

from click.testing import CliRunner, Result  # noqa: E402
from google.protobuf import text_format  # noqa: E402
from tritonclient.grpc import model_config_pb2  # noqa: E402

from osteoserve_client.local_service import LocalService  # noqa: E402
from osteoserve_client.phantom import make_ct_phantom  # noqa: E402
from osteoserve_client.service import ServiceClient  # noqa: E402
from osteoserve_export.cli import main  # noqa: E402
from osteoserve_preprocessing.inference import contract_from_config  # noqa: E402

#: Brighter than the slice is on average: air that is cut away would raise that average.
NETWORK = """
import torch

class Brighter(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Conv2d(1, 1, 1)

    def forward(self, grey):
        return self.scale(grey - grey.mean((2, 3), keepdim=True))

def factory():
    return Brighter()
"""
WEIGHT, BIAS = 40.0, -2.0


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Result]]:
    folder = tmp_path_factory.mktemp("whole")
    (folder / "brighter_network.py").write_text(NETWORK)
    state = {
        "scale.weight": torch.full((1, 1, 1, 1), WEIGHT),
        "scale.bias": torch.tensor([BIAS]),
    }
    torch.save(state, folder / "weights.pt")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield (
            folder,
            run("export", "brighter_network:factory", "--weights", "weights.pt",
                "--name", "brighter", "--labels", "bright", "--repository", "repository"),
        )  # fmt: skip


def run(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def test_the_export_says_that_slices_are_shown_whole(exported: tuple[Path, Result]) -> None:
    folder, done = exported
    assert done.exit_code == 0, done.output
    text = (folder / "repository" / "brighter" / "config.pbtxt").read_text()
    contract = contract_from_config(text_format.Parse(text, model_config_pb2.ModelConfig()), "1")
    assert not contract.cut_to_body
    page = (folder / "repository" / "brighter" / "export_report.md").read_text()
    for said in (done.output, page):
        assert "Slices are shown whole: cut and whole, PyTorch labels bright alike to a" in said


def test_it_labels_what_pytorch_labels_on_whole_slices(exported: tuple[Path, Result]) -> None:
    folder, _ = exported
    command = (sys.executable, "-m", "osteoserve_client", "serve", "--announce", "--port", "0",
               "--repository", str(folder / "repository"))  # fmt: skip
    volume = make_ct_phantom(slices=4, region="legs").volume
    with (
        LocalService(log=folder / "service.log", command=command) as service,
        ServiceClient(service.address) as client,
    ):
        labels, _ = client.segment(volume, model="brighter")
        seen = client.preprocess(volume, model="brighter").slices / np.float64(255)
    mean = seen.mean(axis=(1, 2), keepdims=True)
    logits = WEIGHT * (seen - mean) + BIAS
    certain = np.abs(logits) > 1e-3
    assert labels.any()
    assert np.array_equal((logits > 0)[certain], (labels > 0)[certain])


@pytest.mark.parametrize("name", ["config.pbtxt", "configs/cpu.pbtxt"])
def test_a_model_that_claims_otherwise_has_no_proof(
    exported: tuple[Path, Result], name: str
) -> None:
    folder, _ = exported
    path = folder / "repository" / "brighter" / name
    stated = path.read_text()
    model = ("parity", "repository/brighter", "--weights", "weights.pt")
    try:
        config = text_format.Parse(stated, model_config_pb2.ModelConfig())
        config.parameters["osteoserve.cut_to_body"].string_value = "true"
        path.write_text(text_format.MessageToString(config))
        refused = run(*model)
    finally:
        path.write_text(stated)
    assert refused.exit_code == 3
    assert "the configuration has cut_to_body, but cut and whole, PyTorch labels" in refused.output
    assert run(*model).exit_code == 0

from __future__ import annotations

import copy
import hashlib

import pytest

torch = pytest.importorskip("torch", reason="the extra 'export' is not installed")

from google.protobuf import text_format  # noqa: E402
from tritonclient.grpc import model_config_pb2  # noqa: E402

from osteoserve_export import publish as publishing  # noqa: E402
from osteoserve_export.checkpoints import load_checkpoint, save_checkpoint  # noqa: E402
from osteoserve_export.conversion.onnx_file import export_onnx, prove_parity  # noqa: E402
from osteoserve_export.errors import CheckpointError, ParityError  # noqa: E402
from osteoserve_export.graphs.segmentation import ServingGraph  # noqa: E402
from osteoserve_preprocessing.inference.contract import contract_from_config  # noqa: E402
from tests.export.graphs.test_segmentation import briefly_trained  # noqa: E402

# torch's exporter warns about its own and its dependencies' deprecations.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def graph():
    return ServingGraph(briefly_trained())


@pytest.fixture(scope="module")
def exported(graph, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    export_onnx(graph, path)
    return path


@pytest.fixture(scope="module")
def repository(graph, tmp_path_factory):
    folder = tmp_path_factory.mktemp("repository")
    publishing.publish(graph, folder, card="# A model\n")
    return folder


def test_every_runtime_answers_like_torch_at_every_size(graph, exported):
    proof = prove_parity(graph, exported)
    assert {parity.runtime for parity in proof} == {"onnxruntime", "openvino"}
    assert len({parity.shape for parity in proof}) >= 3
    assert min(parity.dice for parity in proof) > 0.999


def test_another_network_s_file_is_no_proof(exported):
    with pytest.raises(ParityError):
        prove_parity(ServingGraph(briefly_trained(seed=1)), exported)


def test_a_network_that_finds_nothing_is_no_proof(tmp_path):
    network = copy.deepcopy(briefly_trained())
    torch.nn.init.constant_(network.head.bias, -1e6)
    silent = ServingGraph(network)
    export_onnx(silent, tmp_path / "model.onnx")
    with pytest.raises(ParityError, match="no proof"):
        prove_parity(silent, tmp_path / "model.onnx")


def test_the_file_is_one_and_has_the_stated_opset(exported):
    import onnx

    model = onnx.load(exported)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 20)]
    assert [path.name for path in exported.parent.iterdir()] == ["model.onnx"]
    assert not {node.op_type for node in model.graph.node} & {"Resize", "BatchNormalization"}


def test_the_configuration_states_the_contract_and_the_digest(repository):
    model = repository / "unet_skeleton"
    text = (model / "config.pbtxt").read_text(encoding="utf-8")
    contract = contract_from_config(text_format.Parse(text, model_config_pb2.ModelConfig()), "1")
    onnx_file = (model / "1" / "model.onnx").read_bytes()
    assert contract == publishing.skeleton_contract(hashlib.sha256(onnx_file).hexdigest())
    assert (model / "labels.txt").read_text(encoding="utf-8") == "background\nskeleton\n"
    assert (model / "configs" / "gpu.pbtxt").is_file()


def test_a_failed_proof_leaves_the_repository_as_it_was(graph, repository, monkeypatch):
    before = {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()}

    def refuse(*_):
        raise ParityError("different")

    monkeypatch.setattr(publishing, "prove_parity", refuse)
    with pytest.raises(ParityError):
        publishing.publish(graph, repository, card="# Another\n")
    assert {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()} == before
    assert [path.name for path in repository.iterdir()] == ["unet_skeleton"]


def test_weights_come_back_as_they_were_saved(tmp_path):
    network = briefly_trained()
    save_checkpoint(network, tmp_path / "weights.safetensors")
    loaded = load_checkpoint(tmp_path / "weights.safetensors", first_channels=4)
    for name, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)


def test_a_pickle_is_never_loaded(tmp_path):
    path = tmp_path / "weights.pt"
    torch.save({"network": briefly_trained()}, path)
    with pytest.raises(CheckpointError, match="no safetensors"):
        load_checkpoint(path)


def test_another_network_s_weights_are_refused(tmp_path):
    save_checkpoint(briefly_trained(), tmp_path / "weights.safetensors")
    with pytest.raises(CheckpointError, match="F = 8"):
        load_checkpoint(tmp_path / "weights.safetensors")

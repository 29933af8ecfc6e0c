from __future__ import annotations

import os
import pickle

import pytest

torch = pytest.importorskip("torch", reason="the extra 'export' is not installed")

from safetensors.torch import load_file, save_file  # noqa: E402 - only where torch is

from osteoserve_export.architectures.unet import UNet  # noqa: E402
from osteoserve_export.checkpoints import (  # noqa: E402
    load_checkpoint,
    load_network,
    read_weights,
    save_checkpoint,
)
from osteoserve_export.errors import CheckpointError  # noqa: E402
from tests.export.architectures.networks import seeded  # noqa: E402


@pytest.fixture
def network():
    return seeded(UNet, 4, 2)


def same(first, second) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


class Intruder:
    """What makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_weights_come_back_as_they_were_saved(tmp_path, network):
    save_checkpoint(network, tmp_path / "weights.safetensors")
    assert same(read_weights(tmp_path / "weights.safetensors"), network.state_dict())
    loaded = load_checkpoint(tmp_path / "weights.safetensors", first_channels=4)
    assert same(loaded.state_dict(), network.state_dict())
    assert not loaded.training
    assert [path.name for path in tmp_path.iterdir()] == ["weights.safetensors"]


def test_another_f_is_refused(tmp_path, network):
    save_checkpoint(network, tmp_path / "weights.safetensors")
    with pytest.raises(CheckpointError, match="with F = 4, not F = 8"):
        load_checkpoint(tmp_path / "weights.safetensors", first_channels=8)


def test_half_precision_is_smaller_and_read_as_single(tmp_path, network):
    whole, half = tmp_path / "whole.safetensors", tmp_path / "half.safetensors"
    save_checkpoint(network, whole)
    save_checkpoint(network, half, half=True)
    assert half.stat().st_size < 0.7 * whole.stat().st_size
    assert load_file(half)["head.weight"].dtype == torch.float16
    read = read_weights(half)
    assert {v.dtype for v in read.values()} == {torch.float32, torch.int64}
    for name, value in network.state_dict().items():
        if value.ndim > 1:
            assert torch.equal(read[name], value.half().float())
        else:
            assert torch.equal(read[name], value)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_every_precision_is_read_as_single(tmp_path, dtype, suffix):
    weights = {"a.weight": torch.tensor([0.5, -2.0], dtype=dtype), "n": torch.tensor(3)}
    path = tmp_path / f"w{suffix}"
    (torch.save if suffix == ".pt" else save_file)(weights, path)
    read = read_weights(path)
    assert torch.equal(read["a.weight"], torch.tensor([0.5, -2.0]))
    assert read["n"].dtype == torch.int64


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".ckpt"])
@pytest.mark.parametrize("wrapper", [None, "state_dict", "model_state_dict", "model"])
@pytest.mark.parametrize("new_format", [True, False])
def test_what_torch_saved_is_read(tmp_path, network, suffix, wrapper, new_format):
    weights = network.state_dict()
    content = {"epoch": 3, "optimizer": {"lr": 0.1}, wrapper: weights} if wrapper else weights
    path = tmp_path / f"weights{suffix}"
    torch.save(content, path, _use_new_zipfile_serialization=new_format)
    assert same(read_weights(path), weights)
    assert same(load_network(path, "unet").state_dict(), weights)


def test_a_pickle_is_refused_and_not_run(tmp_path):
    mark = tmp_path / "intruded"
    with (tmp_path / "plain.pt").open("wb") as file:
        pickle.dump({"weight": Intruder(mark)}, file, protocol=2)
    torch.save({"state_dict": {"w": torch.zeros(2)}, "x": Intruder(mark)}, tmp_path / "zip.pt")
    for path in (tmp_path / "plain.pt", tmp_path / "zip.pt"):
        with pytest.raises(CheckpointError, match=r"torch.save\(model.state_dict\(\)") as refused:
            read_weights(path)
        assert "\n" not in str(refused.value)
        assert str(path) in str(refused.value)
        assert not mark.exists()
    with (tmp_path / "plain.pt").open("rb") as file:
        pickle.load(file)  # noqa: S301 - that the intruder does intrude where it is let
    assert mark.exists()


def test_a_whole_network_is_refused_with_how_to_convert_it(tmp_path, network):
    torch.save(network, tmp_path / "network.pt")
    with pytest.raises(CheckpointError, match=r"torch.save\(model.state_dict\(\), 'weights.pt'"):
        read_weights(tmp_path / "network.pt")


def cut_zip(path):
    torch.save(UNet(2, 1).state_dict(), path)
    path.write_bytes(path.read_bytes()[:3000])


def cut_legacy(path):
    torch.save(UNet(2, 1).state_dict(), path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[:3000])


def cut_safetensors(path):
    save_file(UNet(2, 1).state_dict(), path)
    path.write_bytes(path.read_bytes()[:-10])


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("a.pt", lambda _: None, "is no file"),
        ("a.pt", lambda path: path.mkdir(), "is no file"),
        ("a.h5", lambda path: path.write_bytes(b"x"), "are read from .safetensors, .pt"),
        ("a.pt", lambda path: path.write_bytes(b""), "cut off"),
        ("a.pt", lambda path: path.write_bytes(b"hello, no weights"), "no checkpoint|not weights"),
        ("a.pt", cut_zip, "cut off"),
        ("a.pt", cut_legacy, "cut off"),
        ("a.pt", lambda path: torch.save([1, 2], path), "holds a list, not a state dict"),
        ("a.pt", lambda path: torch.save({}, path), "holds no weights"),
        ("a.pt", lambda path: torch.save({"epoch": 3}, path), "it holds only epoch"),
        (
            "a.pt",
            lambda path: torch.save(
                {k: {"w": torch.ones(1)} for k in ("model", "state_dict")}, path
            ),
            "it holds several: state_dict, model",
        ),
        ("a.pt", lambda path: torch.save({"w": torch.eye(2).to_sparse()}, path), "w is sparse"),
        ("a.safetensors", lambda path: path.write_bytes(b""), "no safetensors file"),
        ("a.safetensors", lambda path: path.write_bytes(b"\xff" * 99), "no safetensors file"),
        ("a.safetensors", cut_safetensors, "no safetensors file"),
        ("a.safetensors", lambda path: save_file({}, path), "holds no weights"),
    ],
)
def test_unusable_files_are_one_line(tmp_path, name, write, message):
    path = tmp_path / name
    write(path)
    with pytest.raises(CheckpointError, match=message) as refused:
        read_weights(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_weights_that_are_not_finite_are_refused(tmp_path, value, suffix):
    weights = {"a": torch.ones(3), "b": torch.tensor([0.0, value])}
    path = tmp_path / f"w{suffix}"
    (torch.save if suffix == ".pt" else save_file)(weights, path)
    with pytest.raises(CheckpointError, match="1 tensors are not finite, such as b"):
        read_weights(path)


def test_what_half_precision_cannot_hold_is_not_saved(tmp_path, network):
    path = tmp_path / "weights.safetensors"
    save_checkpoint(network, path)
    before = path.read_bytes()
    network.head.weight.data[0, 0] = 1e6
    with pytest.raises(CheckpointError, match=r"head\.weight"):
        save_checkpoint(network, path, half=True)
    assert path.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [path.name]


def test_a_checkpoint_that_cannot_be_written_is_one_line_and_leaves_nothing(tmp_path, network):
    (tmp_path / "taken.safetensors").mkdir()
    for path in (tmp_path / "absent" / "w.safetensors", tmp_path / "taken.safetensors"):
        with pytest.raises(CheckpointError, match="cannot be written") as refused:
            save_checkpoint(network, path)
        assert "\n" not in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["taken.safetensors"]

from __future__ import annotations

import itertools
import sys

import pytest

torch = pytest.importorskip("torch", reason="the extra 'export' is not installed")

from osteoserve_export.architectures import build_network  # noqa: E402 - only where torch is
from osteoserve_export.errors import ArchitectureError, CheckpointError  # noqa: E402

NETWORKS = """
from torch import nn

class Plain(nn.Module):
    size_multiple = 8

    def __init__(self, classes):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, classes, 1))

    def forward(self, grey):
        return self.net(grey)

class Zoo:
    plain = Plain

def number():
    return 3

def broken():
    raise RuntimeError("no\\nsuch luck")
"""

#: Python keeps modules by name.
names = (f"networks_of_a_user_{n}" for n in itertools.count())


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Name of a user's module that lies in the current directory."""
    name = next(names)
    (tmp_path / f"{name}.py").write_text(NETWORKS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return name


def plain_weights(classes: int = 2, prefix: str = "net.") -> dict[str, torch.Tensor]:
    shapes = {"0.weight": (4, 1, 3, 3), "0.bias": (4,), "2.weight": (classes, 4, 1, 1)}
    generator = torch.Generator().manual_seed(0)
    weights = {
        prefix + name: torch.rand(shape, generator=generator) for name, shape in shapes.items()
    }
    return weights | {f"{prefix}2.bias": torch.zeros(classes)}


@pytest.mark.parametrize("factory", ["Plain", "Zoo.plain"])
def test_a_network_from_the_current_directory(module, factory):
    path_before = list(sys.path)
    network = build_network(f"{module}:{factory}", plain_weights(), {"classes": 2})
    with torch.no_grad():
        assert network(torch.zeros(1, 1, 8, 8)).shape == (1, 2, 8, 8)
    assert torch.equal(network.net[0].weight, plain_weights()["net.0.weight"])
    assert not network.training
    assert sys.path == path_before


def test_an_installed_network():
    weights = {"weight": torch.ones(3, 2), "bias": torch.zeros(3)}
    options = {"in_features": 2, "out_features": 3}
    network = build_network("torch.nn:Linear", weights, options)
    assert torch.equal(network(torch.ones(1, 2)), torch.full((1, 3), 2.0))


@pytest.mark.parametrize("prefix", ["net.", "model.net.", "module.", ""])
def test_the_network_s_own_common_prefix_is_not_in_the_way(module, prefix):
    network = build_network(f"{module}:Plain", plain_weights(prefix=prefix), {"classes": 2})
    assert torch.equal(network.net[0].weight, plain_weights()["net.0.weight"])


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("no_such_module_of_anyone:Plain", "'no_such_module_of_anyone': not found"),
        ("{}.deeper:Plain", "deeper': not found"),
        ("{}:Plane", "has no 'Plane'"),
        ("{}:", "has no ''"),
        (":Plain", "raised ValueError"),
        ("{}:number", "made a int, not a torch.nn.Module"),
        ("{}:broken", r"raised RuntimeError: no such luck$"),
        ("{}:Plain", "raised TypeError"),
        ("{}:NETWORKS", "has no 'NETWORKS'"),
    ],
)
def test_what_cannot_be_built_is_one_clear_line(module, path, message):
    with pytest.raises(ArchitectureError, match=message) as refused:
        build_network(path.format(module), plain_weights())
    assert "\n" not in str(refused.value)


def test_a_module_that_cannot_be_imported_says_why(module, tmp_path):
    (tmp_path / f"{module}_b.py").write_text("import no_such_package_at_all", encoding="utf-8")
    with pytest.raises(ArchitectureError, match=r"raised ModuleNotFoundError.*no_such_package"):
        build_network(f"{module}_b:x", {})


def test_a_wrong_class_count_names_the_weight(module):
    with pytest.raises(CheckpointError, match=r"net.2.weight is \(3, 4, 1, 1\), not \(2, 4, 1, 1"):
        build_network(f"{module}:Plain", plain_weights(3), {"classes": 2})

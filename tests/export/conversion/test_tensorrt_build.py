"""TensorRT-RTX stands in for TensorRT: it parses and builds without a GPU, by the same code."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import pytest

rtx = pytest.importorskip("tensorrt_rtx", reason="pip install tensorrt-rtx: it needs no GPU")

from osteoserve_export.conversion.tensorrt_build import (  # noqa: E402 - only where it is installed
    PlanOptions,
    ShapeProfile,
    build,
)
from osteoserve_export.errors import ConversionError  # noqa: E402
from tests.export.conversion.networks import convolution  # noqa: E402

PROFILE = ShapeProfile.of_size(64, 96)


def test_a_profile_of_one_size_ranges_over_the_batch_alone():
    expected = ShapeProfile((1, 64, 96), (8, 64, 96), (32, 64, 96))
    assert ShapeProfile.of_size(64, 96) == expected


@pytest.mark.parametrize(
    "shapes",
    [
        ((2, 64, 64), (1, 64, 64), (3, 64, 64)),
        ((1, 64, 64), (1, 64, 64), (1, 64, 63)),
        ((0, 64, 64), (1, 64, 64), (1, 64, 64)),
    ],
)
def test_a_profile_ascends(shapes):
    with pytest.raises(ConversionError, match="must ascend from 1"):
        ShapeProfile(*shapes)


def test_sizes_may_range_as_well_as_the_batch(tmp_path):
    network = convolution(tmp_path / "network.onnx")
    profile = ShapeProfile((1, 16, 16), (4, 256, 256), (32, 1024, 1024))
    built = build(rtx, network, PlanOptions(profile=profile))
    assert built.content
    assert built.layers >= 4
    assert built.seconds > 0


@pytest.mark.parametrize("level", [0, 5])
def test_options_are_taken(tmp_path, level):
    options = PlanOptions(profile=PROFILE, optimisation_level=level, workspace_bytes=1 << 28)
    assert build(rtx, convolution(tmp_path / "network.onnx"), options).content


# TensorRT-RTX times nothing while it builds and says so; TensorRT 10 and 11 know both calls.
@pytest.mark.filterwarnings("ignore:.*Timing cache operations are no-ops:DeprecationWarning")
def test_a_timing_cache_is_written_and_read_again(tmp_path):
    network, cache = convolution(tmp_path / "network.onnx"), tmp_path / "timings.cache"
    options = PlanOptions(profile=PROFILE, timing_cache=cache)
    build(rtx, network, options)
    first = cache.read_bytes()
    assert first
    build(rtx, network, options)
    assert cache.read_bytes() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["network.onnx", "timings.cache"]


def test_an_unknown_operator_is_one_line_with_the_node(tmp_path):
    network = convolution(tmp_path / "network.onnx", operator="Levitate")
    with pytest.raises(ConversionError, match=r"node last \(Levitate\): ") as found:
        build(rtx, network, PlanOptions(profile=PROFILE))
    (line,) = str(found.value).splitlines()
    assert line.startswith(f"{network}: TensorRT cannot parse it: ")
    assert "cudaError" not in line


def test_each_build_reports_its_own_errors(tmp_path):
    for operator in ("Levitate", "Vanish"):
        network = convolution(tmp_path / f"{operator}.onnx", operator=operator)
        with pytest.raises(ConversionError) as found:
            build(rtx, network, PlanOptions(profile=PROFILE))
        assert [o for o in ("Levitate", "Vanish") if o in str(found.value)] == [operator]


def test_bytes_that_reach_an_operator_uncast_are_found(tmp_path):
    """The trap of a uint8 input: every runtime takes this graph but TensorRT."""
    network = convolution(tmp_path / "network.onnx")
    model = onnx.load(network)
    cast, unsqueeze = model.graph.node[:2]
    cast.input[0], cast.output[0] = "bytes", "image"
    unsqueeze.input[0], unsqueeze.output[0] = "slices", "bytes"
    del model.graph.node[1]
    model.graph.node.insert(0, unsqueeze)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, network)
    with pytest.raises(ConversionError, match=r"node to_image \(Unsqueeze\): .*has type UInt8"):
        build(rtx, network, PlanOptions(profile=PROFILE))


def test_a_failure_after_parsing_gives_its_reasons(tmp_path):
    network = convolution(tmp_path / "network.onnx")
    model = onnx.load(network)
    # A kernel of 65 rows does not fit 1 row and no padding, which only the profile tells.
    kernel = onnx.numpy_helper.from_array(np.ones((1, 1, 65, 1), np.float32), "weight")
    model.graph.initializer[1].CopyFrom(kernel)
    (pads,) = (a for a in model.graph.node[2].attribute if a.name == "pads")
    pads.ints[:] = [0, 0, 0, 0]
    del model.graph.output[0].type.tensor_type.shape.dim[2:]
    for _ in range(2):
        model.graph.output[0].type.tensor_type.shape.dim.add()
    onnx.save(model, network)
    with pytest.raises(ConversionError, match=r"TensorRT cannot build it: .*smooth"):
        build(rtx, network, PlanOptions(profile=ShapeProfile.of_size(1, 64)))
    assert build(rtx, network, PlanOptions(profile=ShapeProfile.of_size(128, 64))).content


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"nothing of the kind", "Failed to parse"), (None, "cannot be read: No such file")],
)
def test_a_file_that_is_no_onnx_is_one_line(tmp_path, content, message):
    network = tmp_path / "network.onnx"
    if content is not None:
        network.write_bytes(content)
    with pytest.raises(ConversionError, match=message) as found:
        build(rtx, network, PlanOptions(profile=PROFILE))
    assert "\n" not in str(found.value)


def fixed(path, shape):
    """The same network for one shape only."""
    model = onnx.load(convolution(path))
    for size, dim in zip(shape, model.graph.input[0].type.tensor_type.shape.dim, strict=True):
        dim.dim_value = size
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    onnx.save(onnx.shape_inference.infer_shapes(model), path)
    return path


def test_a_fixed_size_builds_for_that_size_alone(tmp_path):
    network = fixed(tmp_path / "network.onnx", (2, 48, 64))
    exact = ShapeProfile((2, 48, 64), (2, 48, 64), (2, 48, 64))
    assert build(rtx, network, PlanOptions(profile=exact)).content
    for profile in (PROFILE, dataclasses.replace(exact, largest=(3, 48, 64))):
        with pytest.raises(ConversionError, match=r"takes slices \(2, 48, 64\), which excludes"):
            build(rtx, network, PlanOptions(profile=profile))

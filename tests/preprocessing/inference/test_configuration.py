"""Configurations are what Triton's documentation says that they should be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from osteoserve_preprocessing.inference.configuration import model_configurations

Configurations = dict[str, model_config_pb2.ModelConfig]


@pytest.fixture
def configurations(tmp_path: Path, write_model: Any) -> Configurations:
    contract = write_model(tmp_path / "box", max_batch=16)
    return {
        path: text_format.Parse(text, model_config_pb2.ModelConfig())
        for path, text in model_configurations(contract).items()
    }


def test_the_cpu_runs_openvino_in_the_stated_precision(configurations: Configurations) -> None:
    for path in ("config.pbtxt", "configs/cpu.pbtxt"):
        config = configurations[path]
        accelerators = config.optimization.execution_accelerators.cpu_execution_accelerator
        assert [accelerator.name for accelerator in accelerators] == ["openvino"]
        assert accelerators[0].parameters["precision"] == "fp32"
        assert [group.kind for group in config.instance_group] == [
            model_config_pb2.ModelInstanceGroup.KIND_CPU
        ]


def test_the_gpu_runs_cuda_and_no_accelerator(configurations: Configurations) -> None:
    config = configurations["configs/gpu.pbtxt"]
    assert not config.HasField("optimization")
    assert [group.kind for group in config.instance_group] == [
        model_config_pb2.ModelInstanceGroup.KIND_GPU
    ]


def test_cudnn_picks_by_shape_and_not_by_trial(configurations: Configurations) -> None:
    """A trial for each of many shapes takes long, and need not end alike twice."""
    for path in ("configs/gpu.pbtxt", "configs/tensorrt.pbtxt"):
        search = configurations[path].parameters["cudnn_conv_algo_search"]
        assert search.string_value == "1", "HEURISTIC in Triton's onnxruntime backend"
    assert "cudnn_conv_algo_search" not in configurations["config.pbtxt"].parameters


def test_profiles_differ_in_engine_precision_and_batching_alone(
    configurations: Configurations,
) -> None:
    for config in configurations.values():
        config.ClearField("optimization")
        config.ClearField("dynamic_batching")
        config.ClearField("instance_group")
        del config.parameters["osteoserve.precision"]
        config.parameters.pop("cudnn_conv_algo_search", None)
    first, *others = configurations.values()
    assert all(other == first for other in others)


def test_tensorrt_without_a_plan_is_onnx_runtime_s(configurations: Configurations) -> None:
    config = configurations["configs/tensorrt.pbtxt"]
    accelerators = config.optimization.execution_accelerators.gpu_execution_accelerator
    assert [accelerator.name for accelerator in accelerators] == ["tensorrt"]
    assert config.backend == "onnxruntime"


def test_one_slice_is_computed_before_a_model_is_ready(configurations: Configurations) -> None:
    for config in configurations.values():
        (sample,) = config.model_warmup
        (tensor,) = sample.inputs.values()
        assert sample.batch_size == 1
        assert all(side % 16 == 0 and side >= 256 for side in tensor.dims)


def test_what_waits_too_long_for_a_gpu_is_rejected(configurations: Configurations) -> None:
    for path in ("configs/gpu.pbtxt", "configs/tensorrt.pbtxt"):
        policy = configurations[path].dynamic_batching.default_queue_policy
        assert policy.timeout_action == model_config_pb2.ModelQueuePolicy.REJECT
        assert policy.default_timeout_microseconds > 0
        assert policy.allow_timeout_override
        assert policy.max_queue_size > 0


def test_no_batch_waits_for_a_larger_one(configurations: Configurations) -> None:
    for path, config in configurations.items():
        joins = path in ("configs/gpu.pbtxt", "configs/tensorrt.pbtxt")
        assert config.HasField("dynamic_batching") == joins, "a CPU gains nothing by it"
        assert not config.dynamic_batching.preferred_batch_size
        assert config.max_batch_size == 16


def test_a_detector_is_warmed_up_with_an_image_of_its_size(
    tmp_path: Path, write_detector: Any
) -> None:
    contract = write_detector(tmp_path / "finder")
    for text in model_configurations(contract).values():
        config = text_format.Parse(text, model_config_pb2.ModelConfig())
        (sample,) = config.model_warmup
        assert list(sample.inputs["views"].dims) == [24, 32] == list(config.input[0].dims)
        (count,) = (output for output in config.output if output.name == "count")
        assert count.HasField("reshape")
        assert not count.reshape.shape

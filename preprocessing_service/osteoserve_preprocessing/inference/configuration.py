"""Triton model configurations that state a contract: config.pbtxt and its deployment profiles.

Triton reads ``configs/<profile>.pbtxt`` instead of ``config.pbtxt`` where it was started with
``--model-config-name=<profile>``; each is a whole configuration.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from osteoserve_preprocessing.errors import ContractError
from osteoserve_preprocessing.inference.contract import (
    DetectionContract,
    ModelContract,
    SegmentationContract,
)
from osteoserve_preprocessing.inference.parameters import (
    contract_parameters,
    detection_tensors,
)
from osteoserve_preprocessing.profiles import BF16, CPU

#: Precisions that the CPU engine can be told to use, with the one that answers most exactly first.
CPU_PRECISIONS: Final = ("fp32", BF16)

#: ONNX Runtime's CUDA provider rounds the inputs of convolutions to TF32 unless told otherwise,
#: and Triton's own onnxruntime backend has no documented way to tell it.
GPU_PRECISION: Final = "tf32"

#: Parameter of Triton's own onnxruntime backend, and its HEURISTIC: cuDNN picks an algorithm for
#: each shape without trying them all. Slices come in many shapes, and what is fastest in a trial
#: need not be the same twice, nor what it rounds to.
CUDNN_SEARCH: Final = ("cudnn_conv_algo_search", "1")

#: Longest wait in Triton's queue unless a request states its own; then it is rejected, since by
#: default Triton still executes what nobody waits for any longer.
QUEUE_TIMEOUT_US: Final = 300_000_000

#: Requests that may wait; beyond them Triton answers UNAVAILABLE at once.
QUEUE_SIZE: Final = 64

#: Files of a version directory.
ONNX_FILE: Final = "model.onnx"
PLAN_FILE: Final = "model.plan"

#: Height and width of the slice that a model for all sizes is warmed up with, pixels.
WARM_UP_SIDE: Final = 512

#: GPU memory that TensorRT may use while it builds inside ONNX Runtime.
TENSORRT_WORKSPACE_BYTES: Final = 2 * 1024**3

_UINT8: Final = model_config_pb2.TYPE_UINT8
_ON_CPU: Final = model_config_pb2.ModelInstanceGroup.KIND_CPU
_ON_GPU: Final = model_config_pb2.ModelInstanceGroup.KIND_GPU


@dataclass(frozen=True)
class PlanFile:
    """A TensorRT plan that lies beside the ONNX file.

    Args:
        digest: SHA-256 of ``model.plan``.
        precision: Arithmetic that it was built with.
    """

    digest: str
    precision: str


def model_configurations(
    contract: ModelContract,
    *,
    probabilities: int = 0,
    plan: PlanFile | None = None,
    bf16: bool = False,
) -> dict[str, str]:
    """Configuration files of a model, by path relative to its folder.

    ``config.pbtxt`` and ``configs/cpu.pbtxt`` run it on the CPU with OpenVINO in the contract's
    precision, ``configs/gpu.pbtxt`` on an NVIDIA GPU with CUDA, ``configs/tensorrt.pbtxt`` there
    with the plan, or without one with ONNX Runtime's TensorRT accelerator; ``configs/bf16.pbtxt``
    runs it on a CPU that computes in bf16. Only engine, file, stated precision, and what joins
    requests for a GPU differ. All but the plan load in the embedded Triton and in NVIDIA's
    container, the plan in the container.

    Args:
        contract: What the files shall state; its precision is that of the CPU.
        probabilities: Channels of a second output of that name; 0 where there is none, as always
            for detection.
        plan: The TensorRT plan, where there is one.
        bf16: Whether there is a profile for bf16: only for a model that was proved in it.

    Raises:
        ContractError: The CPU engine has no such precision.
    """
    if contract.precision not in CPU_PRECISIONS:
        raise ContractError(
            f"parameter osteoserve.precision must be one of {', '.join(CPU_PRECISIONS)} "
            f"on a CPU, not {contract.precision!r}"
        )
    cpu = _as_text(_cpu(_shared(contract, probabilities)))
    texts = {
        "config.pbtxt": cpu,
        f"configs/{CPU}.pbtxt": cpu,
        "configs/gpu.pbtxt": _as_text(_gpu(_shared(contract, probabilities))),
        "configs/tensorrt.pbtxt": _as_text(_tensorrt(_shared(contract, probabilities), plan)),
    }
    if bf16:
        in_bf16 = replace(contract, precision=BF16)
        texts[f"configs/{BF16}.pbtxt"] = _as_text(_cpu(_shared(in_bf16, probabilities)))
    return texts


def _cpu(config: model_config_pb2.ModelConfig) -> model_config_pb2.ModelConfig:
    # No dynamic batching: a CPU computes image by image, and Triton's batcher now and then, most
    # likely when a request comes while its instance is about to ask for one, sleeps half a second.
    config.instance_group.add(kind=_ON_CPU, count=1)
    accelerators = config.optimization.execution_accelerators.cpu_execution_accelerator
    precision = config.parameters["osteoserve.precision"].string_value
    accelerators.add(name="openvino", parameters={"precision": precision})
    return config


def _gpu(config: model_config_pb2.ModelConfig) -> model_config_pb2.ModelConfig:
    config.instance_group.add(kind=_ON_GPU, count=1)
    _batch(config.dynamic_batching)
    config.parameters["osteoserve.precision"].string_value = GPU_PRECISION
    search, heuristic = CUDNN_SEARCH
    config.parameters[search].string_value = heuristic
    return config


def _tensorrt(
    config: model_config_pb2.ModelConfig, plan: PlanFile | None
) -> model_config_pb2.ModelConfig:
    _gpu(config)
    if plan is None:
        accelerators = config.optimization.execution_accelerators.gpu_execution_accelerator
        accelerators.add(
            name="tensorrt",
            parameters={
                "precision_mode": "FP32",
                "max_workspace_size_bytes": str(TENSORRT_WORKSPACE_BYTES),
            },
        )
        return config
    return serve_plan(config, plan)


def serve_plan(
    config: model_config_pb2.ModelConfig, plan: PlanFile
) -> model_config_pb2.ModelConfig:
    """Have a configuration serve a plan in place of the ONNX file, by Triton's own backend.

    Args:
        config: Of the profile "tensorrt"; changed.
        plan: What takes the file's place.

    Returns:
        The same configuration.
    """
    if config.optimization.HasField("execution_accelerators"):
        config.optimization.ClearField("execution_accelerators")
    config.backend, config.default_model_filename = "tensorrt", PLAN_FILE
    config.parameters.pop(CUDNN_SEARCH[0], None)
    config.parameters["osteoserve.model_sha256"].string_value = plan.digest
    config.parameters["osteoserve.precision"].string_value = plan.precision
    return config


def _shared(contract: ModelContract, probabilities: int) -> model_config_pb2.ModelConfig:
    config = model_config_pb2.ModelConfig(
        name=contract.name,
        backend="onnxruntime",
        max_batch_size=contract.max_batch,
        default_model_filename=ONNX_FILE,
    )
    if isinstance(contract, DetectionContract):
        _detection_tensors(config, contract)
    elif isinstance(contract, SegmentationContract):
        _segmentation_tensors(config, contract, probabilities)
    config.version_policy.specific.versions.append(int(contract.version))
    for key, value in contract_parameters(contract).items():
        config.parameters[key].string_value = value
    return config


def _segmentation_tensors(
    config: model_config_pb2.ModelConfig, contract: SegmentationContract, probabilities: int
) -> None:
    config.input.add(name=contract.input_name, data_type=_UINT8, dims=[-1, -1])
    config.output.add(name=contract.output_name, data_type=_UINT8, dims=[-1, -1])
    if probabilities:
        dims = [probabilities, -1, -1]
        config.output.add(name="probabilities", data_type=model_config_pb2.TYPE_FP32, dims=dims)
    side = -(-WARM_UP_SIDE // contract.size_multiple) * contract.size_multiple
    _warm_up(config, contract.input_name, (side, side))


def _detection_tensors(config: model_config_pb2.ModelConfig, contract: DetectionContract) -> None:
    config.input.add(name=contract.input_name, data_type=_UINT8, dims=contract.image_size)
    for name, (data_type, dims) in detection_tensors(contract).items():
        output = config.output.add(name=name, data_type=data_type, dims=dims)
        if dims == [1]:
            # The file answers one number for each image, (N,).
            output.reshape.SetInParent()
    _warm_up(config, contract.input_name, contract.image_size)


def _warm_up(config: model_config_pb2.ModelConfig, name: str, image_size: tuple[int, int]) -> None:
    """Have one image computed before the model counts as ready, so that nobody's is the first."""
    sample = config.model_warmup.add(name="one image", batch_size=1)
    tensor = sample.inputs[name]
    tensor.data_type, tensor.zero_data = _UINT8, True
    tensor.dims.extend(image_size)


def _batch(batching: model_config_pb2.ModelDynamicBatching) -> None:
    # No preferred batch size: together with a queue policy it makes Triton 2.51 leave a request
    # that is smaller in the queue for half a second (measured: 12 slices in 0.5 to 1.0 s, 0.01 s
    # without).
    policy = batching.default_queue_policy
    policy.timeout_action = model_config_pb2.ModelQueuePolicy.REJECT
    policy.default_timeout_microseconds = QUEUE_TIMEOUT_US
    policy.allow_timeout_override = True
    policy.max_queue_size = QUEUE_SIZE


def _as_text(config: model_config_pb2.ModelConfig) -> str:
    return str(text_format.MessageToString(config, as_utf8=True))

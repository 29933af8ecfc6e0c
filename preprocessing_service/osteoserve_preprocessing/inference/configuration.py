"""Triton model configurations that state a contract: config.pbtxt and its deployment profiles.

Triton reads ``configs/<profile>.pbtxt`` instead of ``config.pbtxt`` where it was started with
``--model-config-name=<profile>``; each is a whole configuration.
"""

from __future__ import annotations

from typing import Final

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from osteoserve_preprocessing.errors import ContractError
from osteoserve_preprocessing.inference.contract import ModelContract, contract_parameters

#: Precisions that the CPU engine can be told to use, with the one that answers most exactly first.
CPU_PRECISIONS: Final = ("fp32", "bf16")

#: ONNX Runtime's CUDA provider rounds the inputs of convolutions to TF32 unless told otherwise,
#: and Triton's own onnxruntime backend has no documented way to tell it.
GPU_PRECISION: Final = "tf32"

#: Longest wait in Triton's queue unless a request states its own; then it is rejected, since by
#: default Triton still executes what nobody waits for any longer.
QUEUE_TIMEOUT_US: Final = 300_000_000

#: Requests that may wait; beyond them Triton answers UNAVAILABLE at once.
QUEUE_SIZE: Final = 64

_CPU: Final = model_config_pb2.ModelInstanceGroup.KIND_CPU
_GPU: Final = model_config_pb2.ModelInstanceGroup.KIND_GPU


def model_configurations(contract: ModelContract) -> dict[str, str]:
    """Configuration files of a model, by path relative to its folder.

    ``config.pbtxt`` and ``configs/cpu.pbtxt`` run it on the CPU with OpenVINO in the contract's
    precision, ``configs/gpu.pbtxt`` on an NVIDIA GPU with CUDA. All of them load in the embedded
    Triton and in NVIDIA's container; only the engine and the stated precision differ.

    Args:
        contract: What the files shall state; its precision is that of the CPU.

    Raises:
        ContractError: The CPU engine has no such precision.
    """
    if contract.precision not in CPU_PRECISIONS:
        raise ContractError(
            f"parameter osteoserve.precision must be one of {', '.join(CPU_PRECISIONS)} "
            f"on a CPU, not {contract.precision!r}"
        )
    cpu = _as_text(_cpu(contract))
    return {
        "config.pbtxt": cpu,
        "configs/cpu.pbtxt": cpu,
        "configs/gpu.pbtxt": _as_text(_gpu(contract)),
    }


def _cpu(contract: ModelContract) -> model_config_pb2.ModelConfig:
    config = _shared(contract)
    config.instance_group.add(kind=_CPU, count=1)
    accelerators = config.optimization.execution_accelerators.cpu_execution_accelerator
    accelerators.add(name="openvino", parameters={"precision": contract.precision})
    return config


def _gpu(contract: ModelContract) -> model_config_pb2.ModelConfig:
    config = _shared(contract)
    config.instance_group.add(kind=_GPU, count=1)
    config.parameters["osteoserve.precision"].string_value = GPU_PRECISION
    return config


def _shared(contract: ModelContract) -> model_config_pb2.ModelConfig:
    config = model_config_pb2.ModelConfig(
        name=contract.name,
        backend="onnxruntime",
        max_batch_size=contract.max_batch,
        default_model_filename="model.onnx",
    )
    uint8 = model_config_pb2.TYPE_UINT8
    config.input.add(name=contract.input_name, data_type=uint8, dims=[-1, -1])
    config.output.add(name=contract.output_name, data_type=uint8, dims=[-1, -1])
    config.version_policy.specific.versions.append(int(contract.version))
    for key, value in contract_parameters(contract).items():
        config.parameters[key].string_value = value
    _batch(config.dynamic_batching)
    return config


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

"""A TensorRT plan, built on the machine that will serve it, and run there for the proof of parity.

None of this has run on a GPU yet. What parses and builds, ``tensorrt_build``, runs in the tests
with TensorRT-RTX.
"""

from __future__ import annotations

import hashlib
import importlib
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx as onnx_format
import torch

from osteoserve_export.conversion.tensorrt_build import PlanOptions, build
from osteoserve_export.conversion.whole_file import whole_file
from osteoserve_export.errors import ConversionError, UnavailableError


@dataclass(frozen=True)
class Gpu:
    """The GPU that a plan is for.

    Args:
        name: As CUDA calls it.
        compute_capability: Such as "9.0".
        driver: Version of NVIDIA's driver.
    """

    name: str
    compute_capability: str
    driver: str


@dataclass(frozen=True)
class PlanReport:
    """A plan that was written.

    Args:
        gpu: That it is for, and that built it.
        tensorrt: Version; the serving Triton must have the same.
        options: How it was built.
        layers: Of the network that TensorRT made of the graph.
        seconds: That parsing and building took.
        plan_bytes: Size of the file.
        sha256: Of the file, hexadecimal.
    """

    gpu: Gpu
    tensorrt: str
    options: PlanOptions
    layers: int
    seconds: float
    plan_bytes: int
    sha256: str


def build_plan(onnx: Path, plan: Path, options: PlanOptions) -> PlanReport:
    """Build a plan with this machine's GPU.

    Args:
        onnx: File with one (N, H, W) uint8 input; its types are the plan's.
        plan: File to write; its parent exists.
        options: How.

    Raises:
        ConversionError: The file cannot be parsed or built, or the plan cannot be written; nothing
            was written.
        UnavailableError: This machine has no NVIDIA GPU, or no TensorRT; the message has the
            command for a machine that does.
    """
    # By their names: a folder of an export that fails is gone when the message is read.
    elsewhere = shlex.join(trtexec_command(onnx, Path(plan.name), options, shown=onnx.name))
    gpu, trt = find_gpu(elsewhere), _tensorrt(elsewhere)
    built = build(trt, onnx, options)
    with whole_file(plan) as partial:
        partial.write_bytes(built.content)
    return PlanReport(
        gpu,
        trt.__version__,
        options,
        built.layers,
        built.seconds,
        len(built.content),
        hashlib.sha256(built.content).hexdigest(),
    )


def trtexec_command(onnx: Path, plan: Path, options: PlanOptions, *, shown: str = "") -> list[str]:
    """The command that builds the same plan in NVIDIA's container, for TensorRT 10 and 11.

    Args:
        onnx: As for `build_plan`.
        plan: As for `build_plan`.
        options: As for `build_plan`.
        shown: What the command calls the ONNX file; its path where empty.

    Raises:
        ConversionError: The ONNX file cannot be read.
    """
    profile = options.profile
    shapes = {"min": profile.smallest, "opt": profile.usual, "max": profile.largest}
    name, fixed = _input(onnx)
    command = ["trtexec", f"--onnx={shown or onnx}", f"--saveEngine={plan}", "--stronglyTyped"]
    # trtexec refuses shapes for an input that has none to choose.
    if not fixed:
        command += [f"--{k}Shapes={name}:{'x'.join(map(str, s))}" for k, s in shapes.items()]
    command.append(f"--builderOptimizationLevel={options.optimisation_level}")
    if options.workspace_bytes is not None:
        command.append(f"--memPoolSize=workspace:{options.workspace_bytes / 2**20:g}")  # MiB
    if options.timing_cache is not None:
        command.append(f"--timingCacheFile={options.timing_cache}")
    return [*command, "--skipInference"]


def find_gpu(elsewhere: str) -> Gpu:
    """The GPU that TensorRT and torch use on this machine, the first that CUDA shows.

    Args:
        elsewhere: Command that builds the plan on another machine, for the message.

    Raises:
        UnavailableError: There is none, or torch cannot use it.
    """
    driver = _driver()
    if driver is None:
        raise UnavailableError(
            "no NVIDIA GPU on this machine: a TensorRT plan is built where it is served; run "
            "`osteoserve export ... --format tensorrt` there, or in NVIDIA's container, in the "
            f"version folder of an export without it: {elsewhere}"
        )
    if not torch.cuda.is_available():
        raise UnavailableError(
            f"torch {torch.__version__} cannot use this machine's GPU (driver {driver})"
        )
    properties = torch.cuda.get_device_properties(0)
    return Gpu(properties.name, f"{properties.major}.{properties.minor}", driver)


class PlanRunner:
    """Runs a plan on this machine's GPU. Not run on any GPU yet.

    torch holds the memory on the GPU: it is here anyway, and no other package is needed.

    Args:
        plan: File, of this GPU and TensorRT.

    Raises:
        ConversionError: TensorRT cannot load the plan.
        UnavailableError: This machine has no NVIDIA GPU, or no TensorRT.
    """

    def __init__(self, plan: Path) -> None:
        elsewhere = f"trtexec --loadEngine={plan.name}"
        find_gpu(elsewhere)
        self._trt = _tensorrt(elsewhere)
        # Kept: an engine must not outlive its runtime, nor the runtime its logger.
        self._logger = self._trt.Logger(self._trt.Logger.ERROR)
        self._runtime = self._trt.Runtime(self._logger)
        self._engine = self._runtime.deserialize_cuda_engine(plan.read_bytes())
        if self._engine is None:
            raise ConversionError(f"{plan} is no plan of this GPU and TensorRT")
        self._context = self._engine.create_execution_context()
        names = [self._engine.get_tensor_name(n) for n in range(self._engine.num_io_tensors)]
        is_input = {
            name: self._engine.get_tensor_mode(name) == self._trt.TensorIOMode.INPUT
            for name in names
        }
        (self._input,) = (name for name in names if is_input[name])
        self._outputs = [name for name in names if not is_input[name]]

    def run(self, slices: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[Any]]:
        """Answer one batch.

        Args:
            slices: (N, H, W) uint8, of a shape that the plan's profile holds.

        Returns:
            The outputs by name.

        Raises:
            ConversionError: The profile does not hold the shape, or the plan fails.
        """
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            batch = torch.from_numpy(np.ascontiguousarray(slices)).cuda()
            if not self._context.set_input_shape(self._input, tuple(batch.shape)):
                raise ConversionError(f"the plan does not take slices of {tuple(batch.shape)}")
            answers = {name: self._empty(name) for name in self._outputs}
            for name, tensor in {self._input: batch, **answers}.items():
                self._context.set_tensor_address(name, tensor.data_ptr())
            if not self._context.execute_async_v3(stream.cuda_stream):
                raise ConversionError(f"the plan failed on slices of {tuple(batch.shape)}")
            found = {name: tensor.cpu().numpy() for name, tensor in answers.items()}
        stream.synchronize()
        return found

    def _empty(self, name: str) -> torch.Tensor:
        """Room on the GPU for an output, once the input's shape is known."""
        dtype = np.dtype(self._trt.nptype(self._engine.get_tensor_dtype(name)))
        like = torch.from_numpy(np.empty(0, dtype))
        shape = tuple(self._context.get_tensor_shape(name))
        return torch.empty(shape, dtype=like.dtype, device="cuda")


def _driver() -> str | None:
    """Version of NVIDIA's driver; None where there is no driver, or no GPU for it."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    asked = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    answer = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=60)
    versions = answer.stdout.split()
    return versions[0] if answer.returncode == 0 and versions else None


def _tensorrt(elsewhere: str) -> ModuleType:
    try:
        return importlib.import_module("tensorrt")
    except ImportError as error:
        raise UnavailableError(
            "the package tensorrt is not installed on this machine: install the version that the "
            "serving Triton has, or run in NVIDIA's container, in the version folder of an export "
            f"without it: {elsewhere}"
        ) from error


def _input(onnx: Path) -> tuple[str, bool]:
    """The input's name, and whether its shape is fixed on every axis."""
    try:
        graph = onnx_format.load(onnx, load_external_data=False).graph
    # onnx and protobuf raise errors of their own kinds, none of them public.
    except Exception as error:
        raise ConversionError(f"{onnx} is no ONNX file that can be read: {error}") from error
    if len(graph.input) != 1:
        raise ConversionError(f"{onnx} must have one input, not {len(graph.input)}")
    sizes = graph.input[0].type.tensor_type.shape.dim
    return graph.input[0].name, all(size.HasField("dim_value") for size in sizes)

"""How TensorRT makes a plan of an ONNX file: one piece of code for TensorRT and TensorRT-RTX.

Both packages have the same Python API. The module is an argument here, so that what is proved
without a GPU, by `tensorrt_rtx`, is the very code that builds the served plan with `tensorrt`.

Written for the API that TensorRT 10 and 11 share. Networks are strongly typed: 10 has to be asked
for that, 11 knows nothing else and ignores the flag. The flag for explicit batches and the builder
flags for fp16 and int8 are gone in 11 and not used: the graph says its types (see ``precision``).
Plans are for the GPU and the version that built them: version and hardware compatibility cost speed
and stay off.
"""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from osteoserve_export.conversion.whole_file import whole_file
from osteoserve_export.errors import ConversionError

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class ShapeProfile:
    """Shapes of the input that a plan takes (TensorRT's optimisation profile).

    Args:
        smallest: (N, H, W).
        usual: (N, H, W) that the plan is fastest at.
        largest: (N, H, W).

    Raises:
        ConversionError: An axis is not in ascending order from 1.
    """

    smallest: Shape
    usual: Shape
    largest: Shape

    def __post_init__(self) -> None:
        by_axis = zip(self.smallest, self.usual, self.largest, strict=True)
        for axis, sizes in zip("NHW", by_axis, strict=True):
            if not 1 <= sizes[0] <= sizes[1] <= sizes[2]:
                raise ConversionError(f"sizes of {axis} must ascend from 1, not {sizes}")

    @classmethod
    def of_size(
        cls, height: int, width: int, *, batches: tuple[int, int, int] = (1, 8, 32)
    ) -> ShapeProfile:
        """A profile for slices of one size.

        Args:
            height: Rows, pixels.
            width: Columns, pixels.
            batches: Smallest, usual and largest number of slices.
        """
        smallest, usual, largest = ((batch, height, width) for batch in batches)
        return cls(smallest, usual, largest)


@dataclass(frozen=True, kw_only=True)
class PlanOptions:
    """How a plan is built.

    Args:
        profile: Shapes that it takes.
        optimisation_level: 0 (built fastest) to 5 (searched longest); 3 is TensorRT's default.
        workspace_bytes: Most GPU memory for intermediate results; None: all there is.
        timing_cache: File of kernel timings, read where it exists and written after the build: the
            next build on the same GPU and version takes seconds. None: no such file.
    """

    profile: ShapeProfile
    optimisation_level: int = 3
    workspace_bytes: int | None = None
    timing_cache: Path | None = None


@dataclass(frozen=True, eq=False)
class BuiltPlan:
    """A plan in memory.

    Args:
        content: What the file is to hold.
        layers: Of the network that TensorRT made of the graph.
        seconds: That the build took, parsing included.
    """

    content: bytes
    layers: int
    seconds: float


def build(trt: ModuleType, onnx: Path, options: PlanOptions) -> BuiltPlan:
    """Build a plan.

    Args:
        trt: The module ``tensorrt``, or ``tensorrt_rtx``.
        onnx: File with one (N, H, W) input.
        options: How.

    Raises:
        ConversionError: The file cannot be read, parsed or built, one line for each error with the
            node's name; or the profile does not fit the input, or the timing cache is not of this
            GPU and version.
    """
    begin = time.perf_counter()
    logger = _logger(trt)
    logger.errors.clear()
    trt.init_libnvinfer_plugins(logger, "")
    builder = trt.Builder(logger)
    network = _parsed(trt, builder, onnx)
    config = builder.create_builder_config()
    config.builder_optimization_level = options.optimisation_level
    if options.workspace_bytes is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_bytes)
    _add_profile(builder, config, network, options.profile, onnx)
    if options.timing_cache is not None:
        _read_timings(config, options.timing_cache)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise ConversionError(_listed(onnx, "build", logger.errors))
    if options.timing_cache is not None:
        with whole_file(options.timing_cache) as partial:
            partial.write_bytes(bytes(config.get_timing_cache().serialize()))
    return BuiltPlan(bytes(plan), network.num_layers, time.perf_counter() - begin)


def _parsed(trt: ModuleType, builder: Any, onnx: Path) -> Any:
    try:
        content = onnx.read_bytes()
    except OSError as error:
        raise ConversionError(f"{onnx} cannot be read: {error.strerror}") from error
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, _logger(trt))
    if not parser.parse(content):
        errors = [parser.get_error(n) for n in range(parser.num_errors)]
        raise ConversionError(_listed(onnx, "parse", [_described(error) for error in errors]))
    return network


def _described(error: Any) -> str:
    node = f"node {error.node_name()} ({error.node_operator()}): " if error.node_operator() else ""
    return f"{node}{error.desc()}"


def _add_profile(
    builder: Any, config: Any, network: Any, profile: ShapeProfile, onnx: Path
) -> None:
    if network.num_inputs != 1 or len(network.get_input(0).shape) != 3:
        raise ConversionError(f"{onnx} must have one (N, H, W) input")
    tensor = network.get_input(0)
    stated = tuple(tensor.shape)
    shapes = (profile.smallest, profile.usual, profile.largest)
    if any(not _fits(shape, stated) for shape in shapes):
        raise ConversionError(f"{onnx} takes {tensor.name} {stated}, which excludes {shapes}")
    if -1 in stated:
        optimisation = builder.create_optimization_profile()
        optimisation.set_shape(tensor.name, *shapes)
        config.add_optimization_profile(optimisation)


def _fits(shape: Shape, stated: tuple[int, ...]) -> bool:
    return all(size in (-1, asked) for size, asked in zip(stated, shape, strict=True))


def _read_timings(config: Any, path: Path) -> None:
    timings = path.read_bytes() if path.exists() else b""
    cache = config.create_timing_cache(timings)
    if cache is None or not config.set_timing_cache(cache, False):
        raise ConversionError(f"{path} is no timing cache of this GPU and version: remove it")


def _listed(onnx: Path, action: str, errors: list[str]) -> str:
    """One line for each error, each starting with the file's name."""
    # Without a driver, TensorRT-RTX repeats that (error 35 of CUDA) beside each true error.
    lines = (
        " ".join(line for line in error.split("\n") if "cudaError 35" not in line).strip()
        for error in errors
    )
    kept = [line for line in dict.fromkeys(lines) if line] or ["it gave no reason"]
    return "\n".join(f"{onnx}: TensorRT cannot {action} it: {line}" for line in kept)


@functools.cache
def _logger(trt: ModuleType) -> Any:
    """The one logger of a module: TensorRT keeps the first it is given for the whole process."""

    def start(self: Any) -> None:
        trt.ILogger.__init__(self)
        self.errors = []

    def log(self: Any, severity: Any, message: str) -> None:
        if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
            self.errors.append(message)

    return type("ErrorList", (trt.ILogger,), {"__init__": start, "log": log})()

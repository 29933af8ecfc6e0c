"""What an engine is, and what all engines share."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Tensors = dict[str, npt.NDArray[Any]]

#: Parts of a batch, under way or done.
Parts = list[Future[Tensors]]


class EngineError(Exception):
    """The engine that the configuration asks for cannot be had on this machine."""


class Engine(Protocol):
    """Something that computes a model's outputs, a part of a batch at a time.

    ``description`` is for the log; ``parallel`` is how many parts it computes at a time.
    """

    description: str
    precision: str
    parallel: int

    def begin(self, inputs: Tensors, *, batched: bool) -> Parts:
        """Have outputs computed, after all that was begun before.

        Returns at once. A slice's result does not depend on which others are computed beside it.

        Args:
            inputs: By name.
            batched: Whether axis 0 of all tensors is the batch; otherwise there is one part.

        Returns:
            The outputs by name, in parts; those follow each other along axis 0.
        """

    def close(self) -> None:
        """Finish what was begun, and let go of the threads."""


@dataclass(frozen=True)
class EngineRequest:
    """What a model's configuration asks for.

    Args:
        model: The ONNX file.
        outputs: Names of the tensors that are wanted of it.
        kind: "CPU" or "GPU".
        device: Number of the GPU.
        accelerators: Names of the execution accelerators of that kind, with their parameters.
        precision: Precision that the contract states; None where there is no contract.
        threads: Threads of ONNX Runtime on the CPU; None for one per available core.
    """

    model: Path
    outputs: tuple[str, ...]
    kind: str
    device: int
    accelerators: tuple[tuple[str, Mapping[str, str]], ...]
    precision: str | None
    threads: int | None


def available_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0))


def check_outputs(wanted: tuple[str, ...], offered: set[str]) -> None:
    """Refuse a model that lacks an output.

    Raises:
        EngineError: It does.
    """
    if not offered.issuperset(wanted):
        raise EngineError(f"the model has no output {sorted(set(wanted) - offered)}")


def batch_size(inputs: Tensors) -> int:
    """Length of axis 0, which Triton has made the same in all inputs."""
    return len(next(iter(inputs.values())))


def joined(parts: Parts) -> Tensors:
    """The outputs of a whole batch, once its parts are done; raises what any of them did."""
    done = [part.result() for part in parts]
    if len(done) == 1:
        return done[0]
    return {name: np.concatenate([part[name] for part in done]) for name in done[0]}

"""The last word: the model folder in a real Triton, asked as the service asks it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt
from tritonclient.grpc import InferenceServerClient

from osteoserve_export.errors import ParityError
from osteoserve_export.parity.detection_comparison import Find
from osteoserve_export.parity.proof import Expected, compare_labels
from osteoserve_export.parity.rows import Row
from osteoserve_export.specification import SegmentationSpecification
from osteoserve_preprocessing.errors import PreprocessingError
from osteoserve_preprocessing.inference import (
    DetectionContract,
    Detections,
    ModelContract,
    SegmentationContract,
    TritonSession,
)
from osteoserve_preprocessing.profiles import CPU
from osteoserve_preprocessing.triton import EmbeddedTriton

#: Slices in one request.
BATCHES: Final = (1, 8)

TIMEOUT_S: Final = 300.0

Contract = TypeVar("Contract", bound=ModelContract)


@dataclass(frozen=True)
class ServingTriton:
    """A Triton that serves.

    Args:
        name: With its version.
        address: "HOST:PORT" of gRPC.
    """

    name: str
    address: str


@contextmanager
def serving(repository: Path, profile: str = CPU) -> Iterator[ServingTriton]:
    """Serve a repository with the embedded Triton.

    Args:
        repository: Holds the model's folder and nothing else.
        profile: Of a CPU.

    Raises:
        ParityError: Triton does not serve the folder, or fails; the message holds its reason.
    """
    try:
        with EmbeddedTriton(repository, profile=profile) as triton:
            with InferenceServerClient(triton.grpc_address) as client:
                name = f"Triton {client.get_server_metadata().version}"
            if profile != CPU:
                name += f", {profile}"
            yield ServingTriton(name, triton.grpc_address)
    except PreprocessingError as error:
        raise ParityError(f"Triton does not serve the export: {error}") from error


def compare_served(
    triton: ServingTriton, expected: Sequence[Expected], asked: SegmentationSpecification
) -> tuple[Row, ...]:
    """Compare the labels that Triton answers.

    Args:
        triton: Serves the model.
        expected: The network's own answers.
        asked: Name and labels.

    Raises:
        ParityError: An answer has another type or shape, or holds what is no label.
        PreprocessingError: Triton, or the model's contract, is at fault.
    """
    return asyncio.run(_segment(triton, expected, asked))


def finding_through(triton: ServingTriton, model: str) -> Find:
    """Asks Triton for detections.

    Args:
        triton: Serves the model.
        model: Its name.
    """

    def find(images: npt.NDArray[np.uint8], batch: int) -> tuple[Detections, ...]:
        return asyncio.run(_detect(triton, model, images, batch))

    return find


async def _segment(
    triton: ServingTriton, expected: Sequence[Expected], asked: SegmentationSpecification
) -> tuple[Row, ...]:
    rows: list[Row] = []
    for batch in BATCHES:
        async with TritonSession(triton.address, batch=batch) as session:
            contract = await _contract(session, asked.name, SegmentationContract)
            for item in expected:
                labels = await session.segment(contract, item.trial.images, timeout_s=TIMEOUT_S)
                rows += compare_labels(triton.name, item, batch, labels, asked)
    return tuple(rows)


async def _detect(
    triton: ServingTriton, model: str, images: npt.NDArray[np.uint8], batch: int
) -> tuple[Detections, ...]:
    async with TritonSession(triton.address, batch=batch) as session:
        contract = await _contract(session, model, DetectionContract)
        return await session.detect(contract, images, timeout_s=TIMEOUT_S)


async def _contract(session: TritonSession, model: str, kind: type[Contract]) -> Contract:
    contract = await session.contract(model)
    if not isinstance(contract, kind):
        raise ParityError(f"the configuration of {model} is for {contract.task}")
    return contract

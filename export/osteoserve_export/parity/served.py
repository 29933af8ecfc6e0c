"""The last word: the model folder in a real Triton, asked as the service asks it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tritonclient.grpc import InferenceServerClient

from osteoserve_export.parity.proof import Expected, Row, compare_labels
from osteoserve_export.specification import ExportSpecification
from osteoserve_preprocessing.inference.session import TritonSession
from osteoserve_preprocessing.triton import EmbeddedTriton

#: Slices in one request.
BATCHES: Final = (1, 8)

TIMEOUT_S: Final = 300.0


def compare_served(
    repository: Path, expected: Sequence[Expected], asked: ExportSpecification
) -> tuple[Row, ...]:
    """Serve a repository with the embedded Triton, and compare what it answers.

    Args:
        repository: Holds the model's folder and nothing else.
        expected: The network's own answers.
        asked: Name and labels.

    Raises:
        ParityError: An answer has another type or shape, or holds what is no label.
        TritonStartError: Triton does not serve the folder; the message holds its reason.
    """
    with EmbeddedTriton(repository) as triton:
        with InferenceServerClient(triton.grpc_address) as client:
            name = f"Triton {client.get_server_metadata().version}"
        return asyncio.run(_ask(name, triton.grpc_address, expected, asked))


async def _ask(
    name: str, address: str, expected: Sequence[Expected], asked: ExportSpecification
) -> tuple[Row, ...]:
    rows: list[Row] = []
    for batch in BATCHES:
        async with TritonSession(address, batch=batch) as session:
            contract = await session.contract(asked.name)
            for item in expected:
                labels = await session.segment(contract, item.trial.slices, timeout_s=TIMEOUT_S)
                rows += compare_labels(name, item, batch, labels, asked)
    return tuple(rows)

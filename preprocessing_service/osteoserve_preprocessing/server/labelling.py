"""From normalised slices to label slices: sampled slab by slab, with several slabs under way.

While Triton works on one slab, the next is brought to the network's matrix and the one before
comes back to the study's pixels; never is the whole volume held at the network's size.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from itertools import islice
from time import monotonic

import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.core import InPlaneSampling
from osteoserve_preprocessing.inference import SegmentationContract, TritonSession
from osteoserve_preprocessing.inference.tasks import end
from osteoserve_preprocessing.server.exchange import Progress, Stage, Tell
from osteoserve_preprocessing.server.threads import in_thread

#: Slices of a slab: two of the session's requests, so that progress is told often.
SLAB = 16

#: Indices of slices.
Slab = npt.NDArray[np.intp]

#: Slabs under way at once: one on its way there, two in Triton, one on its way back.
SLABS_IN_FLIGHT = 4


class Labelling:
    """The labelling of one volume.

    Args:
        session: Asks Triton.
        contract: The model.
        sampling: Between the study's pixels and the network's matrix.
        executor: Where arrays are computed.
        timeout_s: Longest that Triton may take for all slices together.
        note_success: Called whenever Triton answered.
    """

    def __init__(
        self,
        session: TritonSession,
        contract: SegmentationContract,
        sampling: InPlaneSampling,
        executor: Executor,
        *,
        timeout_s: float,
        note_success: Callable[[], None],
    ) -> None:
        self._session = session
        self._contract = contract
        self._sampling = sampling
        self._executor = executor
        self._deadline = monotonic() + timeout_s
        self._note_success = note_success

    async def run(
        self,
        slices: npt.NDArray[np.uint8],
        tell: Tell,
    ) -> None:
        """Put labels in the place of grey values, so that memory holds no second such array.

        Slices without a voxel above the window's floor hold nothing, and stay 0.

        Args:
            slices: (N, Y, X) uint8, 0..255, canonical; labels afterwards.
            tell: Told how many slices are labelled, slab by slab.

        Raises:
            TritonUnavailableError: Triton does not answer.
            InferenceTimeoutError: It did not answer in time.
            InferenceError: It answered with nothing usable.
        """
        filled = await in_thread(self._executor, lambda: np.flatnonzero(slices.any(axis=(1, 2))))
        total, done = len(filled), 0
        slabs = iter([filled[first : first + SLAB] for first in range(0, total, SLAB)])
        under_way: deque[tuple[Slab, asyncio.Task[None]]] = deque()
        try:
            while True:
                for slab in islice(slabs, SLABS_IN_FLIGHT - len(under_way)):
                    work = self._label(slices, slab)
                    under_way.append((slab, asyncio.create_task(work)))
                if not under_way:
                    return
                slab, task = under_way[0]
                await task
                under_way.popleft()
                done += len(slab)
                await tell(Progress(Stage.INFERENCE, done, total))
        finally:
            await end(*(task for _, task in under_way))

    async def _label(self, slices: npt.NDArray[np.uint8], slab: Slab) -> None:
        seen = await in_thread(self._executor, lambda: self._sampling.forward(slices[slab]))
        answered = await self._session.segment(
            self._contract,
            seen,
            on_progress=lambda _: self._note_success(),
            timeout_s=max(0.0, self._deadline - monotonic()),
        )
        highest = self._contract.label_values[-1]

        def back() -> None:
            slices[slab] = self._sampling.backward(answered, highest)

        await in_thread(self._executor, back)

"""From normalised slices to label slices: section by section, with several under way.

While Triton works on one section, the next is brought to the network's matrix and the one before
comes back to the study's pixels; never is the whole volume held at the network's size.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from itertools import islice
from time import monotonic

import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.core import Indices, InPlaneSampling, sections
from osteoserve_preprocessing.inference import SegmentationContract, TritonSession
from osteoserve_preprocessing.inference.tasks import end
from osteoserve_preprocessing.server.exchange import Progress, Stage, Tell
from osteoserve_preprocessing.server.threads import in_thread

#: Sections under way at once: one on its way there, two in Triton, one on its way back.
IN_FLIGHT = 4


class Labelling:
    """The labelling of one volume.

    Args:
        session: Asks Triton.
        contract: The model.
        sampling: Between the study's pixels and the network's matrix, the whole of it.
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
            tell: Told how many slices are labelled, section by section.

        Raises:
            TritonUnavailableError: Triton does not answer.
            InferenceTimeoutError: It did not answer in time.
            InferenceError: It answered with nothing usable.
        """
        dealt = await in_thread(self._executor, partial(sections, slices))
        total, done = sum(map(len, dealt)), 0
        waiting = iter(dealt)
        under_way: deque[tuple[Indices, asyncio.Task[None]]] = deque()
        try:
            while True:
                for section in islice(waiting, IN_FLIGHT - len(under_way)):
                    work = self._label(slices, section)
                    under_way.append((section, asyncio.create_task(work)))
                if not under_way:
                    return
                section, task = under_way[0]
                await task
                under_way.popleft()
                done += len(section)
                await tell(Progress(Stage.INFERENCE, done, total))
        finally:
            await end(*(task for _, task in under_way))

    async def _label(self, slices: npt.NDArray[np.uint8], section: Indices) -> None:
        around, seen = await in_thread(self._executor, lambda: self._sampling.cut(slices[section]))
        answered = await self._session.segment(
            self._contract,
            seen,
            on_progress=lambda _: self._note_success(),
            timeout_s=max(0.0, self._deadline - monotonic()),
        )
        highest = self._contract.label_values[-1]

        def back() -> None:
            slices[section] = around.backward(answered, highest)

        await in_thread(self._executor, back)

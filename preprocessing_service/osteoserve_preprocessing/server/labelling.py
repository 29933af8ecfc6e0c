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

from osteoserve_preprocessing.core import InPlaneSampling, LabelMap, Preprocessed, Section, spans
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

    async def run(self, volume: Preprocessed, labels: LabelMap, tell: Tell) -> None:
        """Label all slices; those that were clipped away hold nothing.

        Args:
            volume: What the network sees.
            labels: Where its labels go, in the place of the volume's voxels.
            tell: Told how many of the kept slices are labelled, section by section.

        Raises:
            TritonUnavailableError: Triton does not answer.
            InferenceTimeoutError: It did not answer in time.
            InferenceError: It answered with nothing usable.
        """
        kept, slices = volume.clip, volume.geometry.shape[0]
        for clipped in (range(kept.start), range(kept.stop, slices)):
            await in_thread(self._executor, partial(labels.clear, clipped))
        done, waiting = 0, iter(spans(kept))
        under_way: deque[tuple[range, asyncio.Task[None]]] = deque()
        try:
            while True:
                for span in islice(waiting, IN_FLIGHT - len(under_way)):
                    work = self._label(volume, span, labels)
                    under_way.append((span, asyncio.create_task(work)))
                if not under_way:
                    return
                span, task = under_way[0]
                await task
                under_way.popleft()
                done += len(span)
                await tell(Progress(Stage.INFERENCE, done, len(kept)))
        finally:
            await end(*(task for _, task in under_way))

    async def _label(self, volume: Preprocessed, span: range, labels: LabelMap) -> None:
        section = await in_thread(
            self._executor, lambda: Section(volume.grey.of(span), self._sampling)
        )
        answer = section.seen
        if len(answer):
            answer = await self._session.segment(
                self._contract,
                section.seen,
                on_progress=lambda _: self._note_success(),
                timeout_s=max(0.0, self._deadline - monotonic()),
            )
        highest = self._contract.label_values[-1]
        await in_thread(self._executor, lambda: labels.put(span, section.labels(answer, highest)))

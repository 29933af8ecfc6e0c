"""What happens to a volume, from its first byte to the answer; knows no transport.

Upload, check, canonical orientation, preprocessing, inference slab by slab, back to the grid of
the request, measures. The answer is on exactly that grid: same shape, same order of voxels.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.core import (
    InPlaneSampling,
    Orientation,
    Preprocessed,
    canonical_orientation,
    measure_labels,
    preprocess,
)
from osteoserve_preprocessing.geometry import Volume
from osteoserve_preprocessing.inference import SegmentationContract, TritonSession
from osteoserve_preprocessing.server.admission import Admission
from osteoserve_preprocessing.server.choices import (
    cautions,
    check_modality,
    options_for,
    sampling_for,
    segmenting,
)
from osteoserve_preprocessing.server.exchange import (
    PreprocessedAnswer,
    PreprocessingSummary,
    Progress,
    Received,
    SegmentedAnswer,
    Stage,
    Tell,
    Upload,
    VolumeRequest,
)
from osteoserve_preprocessing.server.labelling import Labelling
from osteoserve_preprocessing.server.limits import Limits
from osteoserve_preprocessing.server.models import Models
from osteoserve_preprocessing.server.stages import Stopwatch
from osteoserve_preprocessing.server.threads import in_thread

Result = TypeVar("Result")


class Pipeline:
    """Everything that answers Preprocess and Segment.

    Args:
        models: What Triton serves.
        session: Asks Triton.
        admission: Places for volumes.
        limits: Bounds.
        executor: Where arrays are computed.
        version: What the report says of the service.
        note_success: Called with a model's name whenever it answered.
    """

    def __init__(
        self,
        *,
        models: Models,
        session: TritonSession,
        admission: Admission,
        limits: Limits,
        executor: Executor,
        version: str,
        note_success: Callable[[str], None],
    ) -> None:
        self._models = models
        self._session = session
        self._admission = admission
        self._limits = limits
        self._executor = executor
        self._version = version
        self._note_success = note_success

    @asynccontextmanager
    async def preprocess(
        self, request: VolumeRequest, upload: Upload, tell: Tell
    ) -> AsyncIterator[PreprocessedAnswer]:
        """Normalised volume and stretcher mask; their place in memory is held until the end.

        Raises:
            PreprocessingError: The request, or the volume, is refused.
        """
        contract = await self._contract(request) if request.model else None
        orientation = self._accept(request, contract)
        async with self._place(request, tell):
            received = await upload.receive(request.geometry, tell)
            await tell(Progress(Stage.PREPROCESSING, 0, request.geometry.shape[0]))
            canonical = await self._compute(partial(orientation.volume, received.volume))
            result = await self._preprocessed(canonical, request, contract)
            yield PreprocessedAnswer(
                geometry=request.geometry,
                slices=orientation.restore(result.slices),
                stretcher_mask=orientation.restore(result.stretcher_mask),
                summary=PreprocessingSummary.of(result, cautions(request, contract)),
            )

    @asynccontextmanager
    async def segment(
        self, request: VolumeRequest, upload: Upload, tell: Tell
    ) -> AsyncIterator[SegmentedAnswer]:
        """Label map and report; their place in memory is held until the context ends.

        Raises:
            PreprocessingError: The request, or the volume, is refused, or Triton failed.
        """
        watch = Stopwatch()
        contract = await self._contract(request)
        orientation = self._accept(request, contract)
        async with self._place(request, tell):
            watch.lap("queue")
            received = await upload.receive(request.geometry, tell)
            watch.lap("receive")
            yield await self._segmented(request, received, contract, orientation, tell, watch)

    async def _segmented(
        self,
        request: VolumeRequest,
        received: Received,
        contract: SegmentationContract,
        orientation: Orientation,
        tell: Tell,
        watch: Stopwatch,
    ) -> SegmentedAnswer:
        await tell(Progress(Stage.PREPROCESSING, 0, request.geometry.shape[0]))
        canonical = await self._compute(partial(orientation.volume, received.volume))
        watch.lap("orient")
        result = await self._preprocessed(canonical, request, contract)
        del canonical  # a second copy where the axes were not canonical
        watch.lap("preprocess")
        sampling = sampling_for(result.geometry, contract)
        labels = await self._labelled(result, contract, sampling, tell)
        watch.lap("inference")
        labels = await self._compute(lambda: np.ascontiguousarray(orientation.restore(labels)))
        watch.lap("assemble")
        names = {label.value: label.name for label in contract.labels}
        volume = received.volume
        measures = await self._compute(
            partial(measure_labels, labels, volume.voxels, volume.geometry, names)
        )
        watch.lap("measure")
        return SegmentedAnswer(
            geometry=request.geometry,
            labels=labels,
            contract=contract,
            summary=PreprocessingSummary.of(result, cautions(request, contract, sampling)),
            measures=measures,
            stages=watch.times(),
            input_sha256=received.sha256,
            service_version=self._version,
        )

    async def _contract(self, request: VolumeRequest) -> SegmentationContract:
        return segmenting(request, await self._models.contract(request.model))

    def _accept(self, request: VolumeRequest, contract: SegmentationContract | None) -> Orientation:
        """Refuse what can be refused before a voxel is taken."""
        self._limits.check(request.geometry)
        check_modality(request, contract)
        return canonical_orientation(request.geometry)

    @asynccontextmanager
    async def _place(self, request: VolumeRequest, tell: Tell) -> AsyncIterator[None]:
        if self._admission.volume_must_wait:
            await tell(Progress(Stage.QUEUED, 0, request.geometry.shape[0]))
        async with self._admission.volume():
            yield

    async def _preprocessed(
        self, canonical: Volume, request: VolumeRequest, contract: SegmentationContract | None
    ) -> Preprocessed:
        return await self._compute(partial(preprocess, canonical, options_for(request, contract)))

    async def _labelled(
        self,
        result: Preprocessed,
        contract: SegmentationContract,
        sampling: InPlaneSampling,
        tell: Tell,
    ) -> npt.NDArray[np.uint8]:
        """(Z, Y, X) uint8 labels, canonical; background in the slices that were left out."""
        labels = np.zeros(result.geometry.shape, dtype=np.uint8)
        kept = slice(result.clip.start, result.clip.stop)
        labelling = Labelling(
            self._session,
            contract,
            sampling,
            self._executor,
            timeout_s=self._limits.inference_s,
            note_success=partial(self._note_success, contract.name),
        )
        await labelling.run(result.slices[kept], labels[kept], tell)
        return labels

    async def _compute(self, work: Callable[[], Result]) -> Result:
        return await in_thread(self._executor, work)

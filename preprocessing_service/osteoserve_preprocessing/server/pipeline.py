"""What happens to a volume, from its first byte to the answer; knows no transport.

Upload, check, canonical orientation, preprocessing, inference section by section, back to the grid
of the request, measures. The answer is on exactly that grid: same shape, same order of voxels.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import numpy as np

from osteoserve_preprocessing.core import (
    InPlaneSampling,
    LabelMap,
    Orientation,
    Preprocessed,
    canonical_orientation,
    preprocess,
)
from osteoserve_preprocessing.geometry import Volume
from osteoserve_preprocessing.inference import SegmentationContract
from osteoserve_preprocessing.inference.tasks import end
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
    SegmentedAnswer,
    Stage,
    Tell,
    Upload,
    VolumeRequest,
)
from osteoserve_preprocessing.server.labelling import Labelling
from osteoserve_preprocessing.server.resources import Resources
from osteoserve_preprocessing.server.stages import Stopwatch


class VolumePipeline:
    """Everything that answers Preprocess and Segment.

    Args:
        resources: What it works with.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    @asynccontextmanager
    async def preprocess(
        self, request: VolumeRequest, upload: Upload, tell: Tell, watch: Stopwatch
    ) -> AsyncIterator[PreprocessedAnswer]:
        """Normalised volume and stretcher mask; their place in memory is held until the end.

        Raises:
            PreprocessingError: The request, or the volume, is refused.
        """
        contract = await self._contract(request) if request.model else None
        orientation = self._accept(request, contract)
        async with self._resources.place(request, tell):
            canonical = await self._canonical(request, upload, orientation, tell, watch)
            await upload.confirmed()
            watch.begin("preprocess")
            answer = await self._whole(canonical, request, contract, orientation)
            del canonical
            yield answer

    async def _whole(
        self,
        canonical: Volume,
        request: VolumeRequest,
        contract: SegmentationContract | None,
        orientation: Orientation,
    ) -> PreprocessedAnswer:
        """All that preprocessing makes of a volume, and nothing that holds on to its voxels."""
        result = await self._preprocessed(canonical, request, contract)
        slices = await self._resources.compute(lambda: result.slices)
        return PreprocessedAnswer(
            geometry=request.geometry,
            slices=orientation.restore(slices),
            stretcher_mask=orientation.restore(result.stretcher_mask.whole()),
            summary=PreprocessingSummary.of(result, cautions(request, contract)),
        )

    @asynccontextmanager
    async def segment(
        self, request: VolumeRequest, upload: Upload, tell: Tell, watch: Stopwatch
    ) -> AsyncIterator[SegmentedAnswer]:
        """Label map and report; their place in memory is held until the context ends.

        Raises:
            PreprocessingError: The request, or the volume, is refused, or Triton failed.
        """
        contract = await self._contract(request)
        orientation = self._accept(request, contract)
        async with self._resources.place(request, tell):
            yield await self._segmented(request, upload, contract, orientation, tell, watch)

    async def _segmented(
        self,
        request: VolumeRequest,
        upload: Upload,
        contract: SegmentationContract,
        orientation: Orientation,
        tell: Tell,
        watch: Stopwatch,
    ) -> SegmentedAnswer:
        canonical = await self._canonical(request, upload, orientation, tell, watch)
        watch.begin("preprocess")
        confirming = asyncio.create_task(upload.confirmed())
        try:
            result = await self._preprocessed(canonical, request, contract)
            sha256 = await confirming
        finally:
            await end(confirming)
            # Its error would hold this frame, this frame it, and both the volume.
            del confirming
        sampling = sampling_for(result.geometry, contract)
        summary = PreprocessingSummary.of(result, cautions(request, contract, sampling))
        names = {label.value: label.name for label in contract.labels}
        labels = LabelMap(canonical.voxels, orientation, request.geometry, names, upload.labels)
        watch.begin("inference")
        await self._label(result, labels, contract, sampling, tell)
        watch.begin("assemble")
        whole = labels.whole()
        watch.begin("measure")
        measures = labels.measures()
        return SegmentedAnswer(
            geometry=request.geometry,
            labels=whole,
            labels_shared=upload.labels is not None,
            contract=contract,
            summary=summary,
            measures=measures,
            stages=watch.times(),
            input_sha256=sha256,
            service_version=self._resources.version,
        )

    async def _canonical(
        self,
        request: VolumeRequest,
        upload: Upload,
        orientation: Orientation,
        tell: Tell,
        watch: Stopwatch,
    ) -> Volume:
        """The volume on the canonical grid.

        Where the axes have to be turned it is a copy, and what was received is forgotten.
        """
        watch.begin("receive")
        voxels = await upload.receive(request.shape, np.int16, tell)
        watch.begin("orient")
        await tell(Progress(Stage.PREPROCESSING, 0, request.shape[0]))
        volume = Volume(voxels, request.geometry)
        return await self._resources.compute(partial(orientation.volume, volume))

    async def _contract(self, request: VolumeRequest) -> SegmentationContract:
        return segmenting(request, await self._resources.models.contract(request.model))

    def _accept(self, request: VolumeRequest, contract: SegmentationContract | None) -> Orientation:
        """Refuse what can be refused before a voxel is taken."""
        self._resources.limits.check(request.shape)
        check_modality(request, contract)
        return canonical_orientation(request.geometry)

    async def _preprocessed(
        self, canonical: Volume, request: VolumeRequest, contract: SegmentationContract | None
    ) -> Preprocessed:
        return await self._resources.compute(
            partial(preprocess, canonical, options_for(request, contract))
        )

    async def _label(
        self,
        volume: Preprocessed,
        labels: LabelMap,
        contract: SegmentationContract,
        sampling: InPlaneSampling,
        tell: Tell,
    ) -> None:
        labelling = Labelling(
            self._resources.session,
            contract,
            sampling,
            self._resources.executor,
            timeout_s=self._resources.limits.inference_s,
            note_success=partial(self._resources.note_success, contract.name),
        )
        await labelling.run(volume, labels, tell)

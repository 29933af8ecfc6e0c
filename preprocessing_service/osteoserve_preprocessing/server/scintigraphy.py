"""What happens to a bone scan, from its first byte to the answer; knows no transport.

Upload, both views in one image, detection, regions on the grid of each view; where regions are
missing, a second try with more brightness (Yu 2023, section 2.4).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from time import monotonic

import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.core.region_maps import (
    Finding,
    RegionFinding,
    map_regions,
    measure_regions,
    region_findings,
)
from osteoserve_preprocessing.core.regions import FoundRegions, find_regions
from osteoserve_preprocessing.core.scintigram import (
    IMAGE_SIZE,
    ComposedViews,
    check_view_shape,
    compose_views,
)
from osteoserve_preprocessing.errors import OptionError
from osteoserve_preprocessing.inference import DetectionContract, ModelContract
from osteoserve_preprocessing.inference.detections import Detections
from osteoserve_preprocessing.server.doubts import doubts_about
from osteoserve_preprocessing.server.exchange import (
    Progress,
    ScintigramAnswer,
    ScintigramRequest,
    Stage,
    Tell,
    Upload,
)
from osteoserve_preprocessing.server.resources import Resources
from osteoserve_preprocessing.server.stages import Stopwatch

#: Regions are numbered in one byte.
MOST_REGIONS = 255

Counts = npt.NDArray[np.uint16]


@dataclass(frozen=True, eq=False)
class Attempt:
    """What was found with one brightness."""

    brightness: float
    composed: ComposedViews
    found: FoundRegions
    findings: tuple[RegionFinding, ...]

    @property
    def missing(self) -> int:
        """How many regions a patient has and this does not."""
        return sum(each.finding is Finding.MISSING for each in self.findings)


class ScintigramPipeline:
    """Everything that answers SegmentScintigram.

    Args:
        resources: What it works with.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    @asynccontextmanager
    async def segment(
        self, request: ScintigramRequest, upload: Upload, tell: Tell, watch: Stopwatch
    ) -> AsyncIterator[ScintigramAnswer]:
        """Regions and report; their place in memory is held until the context ends.

        Raises:
            PreprocessingError: The request, or the scan, is refused, or Triton failed.
        """
        contract = detecting(await self._resources.models.contract(request.model))
        check_view_shape(request.image_shape)
        self._resources.limits.check(request.shape)
        async with self._resources.place(request, tell):
            watch.begin("receive")
            counts = await upload.receive(request.shape, np.uint16, tell)
            sha256 = await upload.confirmed()
            watch.begin("inference")
            yield await self._segmented(request, counts, sha256, contract, tell, watch)

    async def _segmented(
        self,
        request: ScintigramRequest,
        counts: npt.NDArray[np.uint16],
        sha256: bytes,
        contract: DetectionContract,
        tell: Tell,
        watch: Stopwatch,
    ) -> ScintigramAnswer:
        resources = self._resources
        await tell(Progress(Stage.PREPROCESSING, 0, len(counts)))
        deadline = monotonic() + resources.limits.inference_s
        best, retried = await self._best(request, counts, contract, deadline, tell)
        watch.begin("assemble")
        regions = best.found.regions
        maps = await resources.compute(
            partial(map_regions, regions, request.views, request.image_shape)
        )
        watch.begin("check")
        doubts = await resources.compute(
            partial(doubts_about, request, contract, counts, maps, best.findings)
        )
        watch.begin("measure")
        measures = await resources.compute(
            partial(measure_regions, maps, counts, len(regions), request.pixel_spacing_mm)
        )
        return ScintigramAnswer(
            request=request,
            contract=contract,
            brightness=best.brightness,
            white=best.composed.white,
            kept=best.composed.kept(request.image_shape),
            total_counts=tuple(int(view.sum(dtype=np.int64)) for view in counts),
            regions=regions,
            measures=measures,
            maps=maps,
            findings=best.findings,
            warnings=(*doubts, *retried, *best.found.warnings),
            stages=watch.times(),
            input_sha256=sha256,
            service_version=resources.version,
        )

    async def _best(
        self,
        request: ScintigramRequest,
        counts: Counts,
        contract: DetectionContract,
        deadline: float,
        tell: Tell,
    ) -> tuple[Attempt, tuple[str, ...]]:
        """The attempt with which fewest regions are missing, and what to say about it."""
        factors = [request.brightness]
        if request.retry_brightness and request.retry_brightness != request.brightness:
            factors.append(request.retry_brightness)
        attempts: list[Attempt] = []
        for factor in factors:
            await tell(Progress(Stage.INFERENCE, len(attempts), len(factors)))
            attempts.append(await self._attempt(request, counts, contract, factor, deadline))
            if not attempts[-1].missing:
                break
        await tell(Progress(Stage.INFERENCE, len(factors), len(factors)))
        best = min(attempts, key=lambda attempt: attempt.missing)
        return best, _retried(attempts, best)

    async def _attempt(
        self,
        request: ScintigramRequest,
        counts: Counts,
        contract: DetectionContract,
        brightness: float,
        deadline: float,
    ) -> Attempt:
        resources, by_view = self._resources, dict(zip(request.views, counts, strict=True))
        composed = await resources.compute(
            partial(
                compose_views,
                by_view.get("anterior"),
                by_view.get("posterior"),
                brightness=brightness,
            )
        )
        (detections,) = await resources.session.detect(
            contract, composed.image[None], timeout_s=max(0.0, deadline - monotonic())
        )
        resources.note_success(contract.name)
        return await resources.compute(
            partial(_attempted, request, contract, brightness, composed, detections)
        )


def detecting(contract: ModelContract) -> DetectionContract:
    """The contract of a model that finds regions in bone scans.

    Raises:
        OptionError: The model does something else.
    """
    if not isinstance(contract, DetectionContract) or contract.modality != "NM":
        raise OptionError(
            f"model {contract.name} is for {contract.task} in {contract.modality} images: it finds "
            "no regions in bone scans"
        )
    if contract.image_size != IMAGE_SIZE or contract.detections > MOST_REGIONS:
        raise OptionError(
            f"model {contract.name} answers up to {contract.detections} detections in images of "
            f"{contract.image_size}: bone scans need at most {MOST_REGIONS} in {IMAGE_SIZE}"
        )
    return contract


def _attempted(
    request: ScintigramRequest,
    contract: DetectionContract,
    brightness: float,
    composed: ComposedViews,
    detections: Detections,
) -> Attempt:
    names = {label.value: label.name for label in contract.labels}
    found = find_regions(
        boxes=detections.boxes,
        labels=detections.labels,
        scores=detections.scores,
        masks=detections.masks,
        names=names,
        composed=composed,
        views=request.views,
        shape=request.image_shape,
        least_score=request.least_score,
    )
    findings = region_findings(found.regions, request.views, names)
    return Attempt(brightness, composed, found, findings)


def _retried(attempts: list[Attempt], best: Attempt) -> tuple[str, ...]:
    if len(attempts) == 1:
        return ()
    first, second = attempts
    taken = "the second try was taken" if best is second else "the first try was kept"
    return (
        f"with brightness {first.brightness:g} regions were missing ({first.missing}), with "
        f"{second.brightness:g} ({second.missing}): {taken}",
    )

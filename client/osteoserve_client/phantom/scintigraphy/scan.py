"""The phantom: a synthetic whole-body bone scan in two views, and its true regions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from osteoserve_client.phantom.scintigraphy import foci
from osteoserve_client.phantom.scintigraphy.camera import VIEWS, Camera, Posed
from osteoserve_client.phantom.scintigraphy.cloud import Cloud, Part, mottled
from osteoserve_client.phantom.scintigraphy.head_bones import skull
from osteoserve_client.phantom.scintigraphy.limb_bones import limb_bones
from osteoserve_client.phantom.scintigraphy.outlines import Mask
from osteoserve_client.phantom.scintigraphy.parameters import (
    ScintigraphyParameters,
    draw_scintigraphy_parameters,
)
from osteoserve_client.phantom.scintigraphy.pose import Pose
from osteoserve_client.phantom.scintigraphy.regions import (
    Placed,
    Region,
    hot_pixels,
    kidneys_of,
    label_map,
    regions_of,
    sternum_before_spine,
)
from osteoserve_client.phantom.scintigraphy.soft_tissue import organs, soft_tissue
from osteoserve_client.phantom.scintigraphy.trunk_bones import trunk_bones

#: Matrix of a view (Yu 2023, section 2.1).
ROWS, COLUMNS = 1024, 256


@dataclass(frozen=True, eq=False)
class PhantomScintigraphy:
    """A synthetic whole-body bone scan and its truth.

    Rows grow from the head to the feet. Columns of the anterior view grow to the patient's left,
    those of the posterior view to the patient's right: each as its detector sees the patient, so
    that the patient's left is on the image's right in one and on its left in the other.

    Args:
        counts: For "anterior" and "posterior" (Y, X) uint16 counts, 1024 x 256.
        labels: For each view (Y, X) uint8, 0 background, 1 to 10 as in `REGIONS`; no overlaps.
        regions: The same regions one by one, each with its whole outline; these overlap.
        hot_spots: For each view (Y, X) bool, where metastases stand out.
        pixel_spacing_mm: Distance of pixel centres, both ways.
        parameters: What it was made from.
    """

    counts: Mapping[str, npt.NDArray[np.uint16]]
    labels: Mapping[str, npt.NDArray[np.uint8]]
    regions: tuple[Region, ...]
    hot_spots: Mapping[str, Mask]
    pixel_spacing_mm: float
    parameters: ScintigraphyParameters

    def visible(self, region: Region) -> Mask:
        """(Y, X) bool, the part of a region's mask that the label map gives to it."""
        mask: Mask = region.mask & (self.labels[region.view] == region.label)
        return mask


def make_scintigraphy_phantom(
    seed: int = 0, *, parameters: ScintigraphyParameters | None = None
) -> PhantomScintigraphy:
    """Make a synthetic whole-body bone scan with its true regions.

    Args:
        seed: The same seed gives the same counts.
        parameters: The patient and the scan; None draws them from the seed.

    Returns:
        Both views.
    """
    drawn = parameters if parameters is not None else draw_scintigraphy_parameters(seed)
    return _Acquisition(drawn).result()


class _Acquisition:
    """One patient under the camera."""

    def __init__(self, parameters: ScintigraphyParameters) -> None:
        p = self._p = parameters
        rng = np.random.default_rng([p.seed, 51])
        pose = Pose(p)

        def place(clouds: Sequence[Cloud]) -> list[Placed]:
            return [Placed(c, Posed(pose.place(c), c.activity, c.spread_mm)) for c in clouds]

        bones = skull(rng) + trunk_bones(rng, p.unevenness) + limb_bones(rng, p.unevenness)
        bones = [b.scaled(p.skeleton * mottled(rng, b.points, 0.16, 90.0)) for b in bones]
        total = float(sum(b.activity.sum() for b in bones))
        bones = foci.with_prosthesis(p, bones)
        others = soft_tissue(p, rng) + organs(p, rng) + foci.degenerative(p, rng)
        others += foci.injection(p, rng, total) + foci.contamination(p, rng)
        self._bones, self._others = place(bones), place(others)
        self._spots = place(foci.hot_spots(p, rng, bones))
        self._all = [q.posed for q in (*self._bones, *self._others, *self._spots)]
        self._camera = Camera(p, self._all, (ROWS, COLUMNS))
        self._seen = self._camera.sees()

    def result(self) -> PhantomScintigraphy:
        """Both views with their truth."""
        whole = {v: self._camera.project(self._all, v) for v in VIEWS}
        regions = {v: self._regions(v, whole[v]) for v in VIEWS}
        return PhantomScintigraphy(
            counts=self._counts(whole),
            labels={
                v: label_map(regions[v], sternum_before_spine(self._bones, self._camera, v))
                for v in VIEWS
            },
            regions=tuple(r for v in VIEWS for r in regions[v]),
            hot_spots={v: self._hot(v, whole[v]) for v in VIEWS},
            pixel_spacing_mm=self._p.pixel_spacing_mm,
            parameters=self._p,
        )

    def _counts(
        self, whole: Mapping[str, npt.NDArray[np.float64]]
    ) -> dict[str, npt.NDArray[np.uint16]]:
        rng = np.random.default_rng([self._p.seed, 53])
        expected = {v: self._camera.scattered(image) * self._seen for v, image in whole.items()}
        # One time for both heads: the posterior counts follow from the anterior ones.
        seconds = self._p.counts / float(expected[VIEWS[0]].sum())
        limit = np.iinfo(np.uint16).max
        return {
            v: np.minimum(rng.poisson(seconds * image), limit).astype(np.uint16)
            for v, image in expected.items()
        }

    def _regions(self, view: str, whole: npt.NDArray[np.float64]) -> tuple[Region, ...]:
        kidneys = [q for q in self._others if q.cloud.part is Part.KIDNEY]
        return (
            *regions_of(self._bones, self._camera, view),
            *kidneys_of(kidneys, self._camera, view, whole),
        )

    def _hot(self, view: str, whole: npt.NDArray[np.float64]) -> Mask:
        if not self._spots:
            return np.zeros((ROWS, COLUMNS), dtype=np.bool_)
        spots = self._camera.project([q.posed for q in self._spots], view)
        return hot_pixels(spots, whole, self._seen)

"""Names of the files that a run leaves in its folder."""

from __future__ import annotations

#: Of a segmented CT.
LABEL_MAP = "skeleton.nii.gz"
SEGMENTATION_OBJECT = "skeleton.seg.dcm"
VOLUMES = "volumes.csv"

#: Of a segmented bone scan; the images are one for each view.
REGIONS_OBJECT = "regions.seg.dcm"
LABEL_IMAGES = {"anterior": "labels_anterior.png", "posterior": "labels_posterior.png"}
NUMBER_IMAGES = {"anterior": "regions_anterior.png", "posterior": "regions_posterior.png"}
REGIONS = "regions.csv"

#: Of both.
REPORT = "report.json"
PREVIEW = "preview.png"

#: Every file that a CT's run may leave, in the order in which they are reported.
OUTPUT_NAMES = (LABEL_MAP, SEGMENTATION_OBJECT, REPORT, VOLUMES, PREVIEW)

#: Every file that a bone scan's run may leave, likewise.
SCINTIGRAM_OUTPUT_NAMES = (
    REGIONS_OBJECT,
    *LABEL_IMAGES.values(),
    *NUMBER_IMAGES.values(),
    REPORT,
    REGIONS,
    PREVIEW,
)

#: What a run removes where it does not write it: no file of another study stays beside its own.
OWNED_NAMES = tuple(dict.fromkeys((*OUTPUT_NAMES, *SCINTIGRAM_OUTPUT_NAMES)))

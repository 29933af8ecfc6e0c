"""Predictions by a served model, made from the images that the references were drawn on."""

from __future__ import annotations

from collections.abc import Callable

from osteoserve_client.evaluation.label_maps import LabelMap, Labels, LabelViews, LabelVolume
from osteoserve_client.evaluation.studies import Entry
from osteoserve_client.reading import read_scintigram, read_study
from osteoserve_client.service import ServiceClient, preprocessing_options
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb


def predict(entry: Entry, connect: Callable[[], ServiceClient], model: str) -> LabelMap:
    """Segment the image of one reference, with the options that ``osteoserve segment`` defaults to.

    Args:
        entry: The reference.
        connect: Gives a client, once the image has been read: one that is refused costs no start
            of a service.
        model: Which model to ask.

    Returns:
        What the service answers, on the grid of the image as it is stored.

    Raises:
        NoImageError: There is no image beside the reference.
        InputError: The image is refused.
        ServiceError: The service refuses or fails.
    """
    if not entry.planar:
        study = read_study(entry.image())
        labels, report = connect().segment(
            study.volume, model=model, options=preprocessing_options()
        )
        return LabelVolume(labels, study.volume.geometry, _names(report.model))
    scan = read_scintigram(entry.image())
    labels, _, found = connect().segment_scintigram(scan, model=model)
    views: dict[str, Labels] = {
        view.view: view.as_stored(of_view) for view, of_view in zip(scan.views, labels, strict=True)
    }
    return LabelViews(views, scan.pixel_spacing_mm, _names(found.model))


def _names(model: pb.Model) -> dict[int, str]:
    return {label.value: label.name for label in model.labels}

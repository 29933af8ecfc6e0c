"""What there is to say of an input that was segmented and written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from osteoserve_client.study import Json
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb


@dataclass(frozen=True, kw_only=True)
class Segmented:
    """Outputs of one input, and a summary of them; nothing of the patient.

    Args:
        modality: "CT" or "NM".
        paths: Every output.
        subject: What was segmented, as "120 slices".
        found: What was found, in a few words.
        model: Which model answered.
        request_id: What the service's logs call the request.
        stages: How long the service's stages took.
        warnings: Of reading and of the service, one line each.
        findings: Scans: what is missing or doubled, one line each.
        summary: What was found, as JSON.
    """

    modality: str
    paths: tuple[Path, ...]
    subject: str
    found: str
    model: pb.Model
    request_id: str
    stages: tuple[pb.StageTime, ...]
    warnings: tuple[str, ...]
    findings: tuple[str, ...] = ()
    summary: Mapping[str, Json]

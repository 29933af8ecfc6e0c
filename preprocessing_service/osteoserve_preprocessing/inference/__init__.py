"""Asking Triton: what a model is, and what it answers."""

from osteoserve_preprocessing.inference.contract import (
    DetectionContract,
    ModelContract,
    SegmentationContract,
)
from osteoserve_preprocessing.inference.detections import Detections
from osteoserve_preprocessing.inference.labels import Code, Label
from osteoserve_preprocessing.inference.parameters import (
    contract_from_config,
    contract_parameters,
    read_contract,
)
from osteoserve_preprocessing.inference.session import TritonSession

__all__ = [
    "Code",
    "DetectionContract",
    "Detections",
    "Label",
    "ModelContract",
    "SegmentationContract",
    "TritonSession",
    "contract_from_config",
    "contract_parameters",
    "read_contract",
]

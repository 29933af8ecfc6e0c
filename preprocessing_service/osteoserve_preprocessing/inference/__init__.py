"""Asking Triton: what a model is, and what it answers."""

from osteoserve_preprocessing.inference.contract import (
    ModelContract,
    contract_from_config,
    contract_parameters,
)
from osteoserve_preprocessing.inference.labels import Code, Label
from osteoserve_preprocessing.inference.session import TritonSession

__all__ = [
    "Code",
    "Label",
    "ModelContract",
    "TritonSession",
    "contract_from_config",
    "contract_parameters",
]

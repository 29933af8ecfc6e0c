"""What tritonclient raises, as errors of this package: the one place where they meet."""

from __future__ import annotations

from typing import Final

from tritonclient.utils import InferenceServerException

from osteoserve_preprocessing.errors import (
    InferenceError,
    InferenceTimeoutError,
    ModelNotFoundError,
    PreprocessingError,
    TritonUnavailableError,
)

_KINDS: Final[dict[str, type[PreprocessingError]]] = {
    "StatusCode.UNAVAILABLE": TritonUnavailableError,
    "StatusCode.NOT_FOUND": ModelNotFoundError,
    "StatusCode.DEADLINE_EXCEEDED": InferenceTimeoutError,
}


def translated(error: InferenceServerException, subject: str) -> PreprocessingError:
    """The error of this package that says the same; `InferenceError` where none is more exact.

    Args:
        error: As tritonclient raised it.
        subject: What was asked, such as "model unet_skeleton".
    """
    kind = _KINDS.get(error.status() or "", InferenceError)
    return kind(f"{subject}: {' '.join(error.message().split())}")

from __future__ import annotations

import grpc
import pytest
from tritonclient.utils import InferenceServerException

from osteoserve_preprocessing.errors import (
    InferenceError,
    InferenceTimeoutError,
    ModelNotFoundError,
    PreprocessingError,
    TritonUnavailableError,
)
from osteoserve_preprocessing.inference.translation import translated

SPECIAL = {
    grpc.StatusCode.UNAVAILABLE: TritonUnavailableError,
    grpc.StatusCode.NOT_FOUND: ModelNotFoundError,
    grpc.StatusCode.DEADLINE_EXCEEDED: InferenceTimeoutError,
}


@pytest.mark.parametrize("code", list(grpc.StatusCode), ids=str)
def test_every_status_has_an_error_of_ours(code: grpc.StatusCode) -> None:
    error = translated(InferenceServerException("two\n lines", str(code)), "model box")
    assert isinstance(error, PreprocessingError)
    assert type(error) is SPECIAL.get(code, InferenceError)
    assert str(error) == "model box: two lines"


def test_an_error_of_the_client_itself_has_one_too() -> None:
    assert type(translated(InferenceServerException("odd"), "Triton")) is InferenceError

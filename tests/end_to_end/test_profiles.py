"""The profiles of a CPU, served: what precision answers, and that the masks are the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from osteoserve_client.errors import ServiceUnavailableError
from osteoserve_client.local_service import COMMAND, LocalService
from osteoserve_client.reading import read_study
from osteoserve_client.service import ServiceClient
from osteoserve_preprocessing.profiles import computes_bf16, processor_flags

MODEL = "unet_skeleton"


def segmented(profile: str, study: Path) -> tuple[str, np.ndarray]:
    """Precision that answered, and the (Z, Y, X) labels."""
    command = (*COMMAND, "--model", MODEL, "--profile", profile)
    with LocalService(command=command) as local, ServiceClient(local.address) as client:
        labels, report = client.segment(read_study(study).volume, model=MODEL)
    return report.model.precision, np.asarray(labels)


@pytest.fixture(scope="module")
def in_fp32(phantom: Path) -> np.ndarray:
    precision, labels = segmented("cpu", phantom / "dicom")
    assert precision == "fp32"
    return labels


@pytest.mark.skipif(not computes_bf16(), reason="needs a CPU that computes in bf16")
@pytest.mark.parametrize("profile", ["bf16", "auto"])
def test_bf16_answers_as_fp32_does_and_says_that_it_did(
    profile: str, phantom: Path, in_fp32: np.ndarray
) -> None:
    precision, labels = segmented(profile, phantom / "dicom")
    assert precision == "bf16"
    both = 2 * np.count_nonzero((labels > 0) & (in_fp32 > 0))
    assert both >= 0.999 * (np.count_nonzero(labels) + np.count_nonzero(in_fp32))


@pytest.mark.skipif(computes_bf16(), reason="needs a CPU that does not compute in bf16")
def test_a_cpu_without_bf16_answers_in_fp32(phantom: Path, in_fp32: np.ndarray) -> None:
    precision, labels = segmented("auto", phantom / "dicom")
    assert precision == "fp32"
    np.testing.assert_array_equal(labels, in_fp32)


@pytest.mark.skipif("avx512f" in processor_flags(), reason="AVX-512 can do as if it had bf16")
def test_bf16_is_refused_where_there_is_none(phantom: Path) -> None:
    with pytest.raises(ServiceUnavailableError, match="bf16"):
        segmented("bf16", phantom / "dicom")

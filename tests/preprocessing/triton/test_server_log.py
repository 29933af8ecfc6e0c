from __future__ import annotations

import pytest

from osteoserve_preprocessing.triton.server_log import last_reason

#: As tritonserver 2.51.0 writes them.
STARTED = """\
2026-11-21T02:46:48Z W 17 pinned_memory_manager.cc:273] "Unable to allocate pinned system memory, pinned memory pool will not be available: CUDA driver version is insufficient for CUDA runtime version"
2026-11-21T02:46:48Z E 17 server.cc:241] "CudaDriverHelper has not been initialized."
2026-11-21T02:46:48Z I 17 model_lifecycle.cc:472] "loading: u:1"
"""  # noqa: E501
MODEL = r"""2026-11-21T02:46:48Z E 17 model_lifecycle.cc:642] "failed to load 'u' version 1: Internal: TritonModelException: DigestError: not the file\n\nAt:\n  /tmp/model.py(48): initialize\n"
"""  # noqa: E501
LIBRARY = """2026-11-21T02:30:31Z E 95 model_lifecycle.cc:642] "failed to load 'u' version 1: Invalid argument: backend library name escapes"
"""  # noqa: E501
GAVE_UP = "error: creating server: Internal - failed to load all models\n"


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        (STARTED + MODEL + GAVE_UP, "model u: DigestError: not the file"),
        (STARTED + LIBRARY + GAVE_UP, "model u: backend library name escapes"),
        (STARTED + GAVE_UP, "creating server: Internal - failed to load all models"),
        ("Segmentation fault\n", "Segmentation fault"),
        (
            "tritonserver: error while loading shared libraries: libb64.so: cannot open\n",
            "libb64.so: cannot open",
        ),
        (
            STARTED + '2026-11-21T02:46:48Z E 17 main.cc:1] "failed to start GRPC service"\n',
            "failed to start GRPC service",
        ),
        ("", "it logged nothing"),
    ],
)
def test_the_most_telling_line_is_found(log: str, reason: str) -> None:
    assert last_reason(log) == reason

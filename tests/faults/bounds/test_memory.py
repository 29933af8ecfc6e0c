"""What is in memory depends on the places for volumes, never on how many callers there are."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest

from osteoserve_preprocessing.geometry import Geometry, Volume
from osteoserve_preprocessing.server.doctor.memory import MEMORY_PER_VOLUME
from osteoserve_preprocessing.v1.preprocessing_pb2_grpc import PreprocessingServiceStub
from tests.faults.bounds.conftest import StartWatched
from tests.preprocessing.server.test_overload import whole

CALLERS = 16
PLACES = 2
MEBIBYTE = 1 << 20

#: Of gRPC and the interpreter, for sixteen connections and two volumes' chunks.
MARGIN = 96 * MEBIBYTE


def study(volume: Volume, slices: int, repeats: int) -> Volume:
    """A stack of the torso side by side, with empty slices in between: they need no inference."""
    voxels = np.full((slices, 48 * repeats, 64 * repeats), -1000, dtype=np.int16)
    voxels[: len(volume.voxels)] = np.tile(volume.voxels, (1, repeats, repeats))
    return Volume(voxels, Geometry(voxels.shape, (2.0, 0.9, 0.9)))


def labelled(address: str, volume: Volume) -> int:
    """How many voxels of an answer are labelled; its bytes are not kept."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(address, options=options) as channel:
        answer = PreprocessingServiceStub(channel).Segment(whole(volume), timeout=3600)
        return sum(len(part.chunk) - part.chunk.count(0) for part in answer)


@pytest.mark.parametrize(
    ("slices", "repeats", "most"),
    [
        (40, 6, None),
        # 400 MB each: 524 slices of 512 x 768, and the limit that is promised.
        pytest.param(524, 12, 8 << 30, marks=pytest.mark.faults),
    ],
)
def test_sixteen_uploads_at_once_stay_within_what_two_volumes_take(
    start_watched: StartWatched, volume: Volume, slices: int, repeats: int, most: int | None
) -> None:
    service = start_watched(resident_volumes=PLACES, upload_s=600, inference_s=600)
    large = study(volume, slices, repeats)
    expected = labelled(service.address, study(volume, len(volume.voxels), repeats))
    assert expected > 0
    before = service.resident()

    together = threading.Barrier(CALLERS)

    def call(_: int) -> int:
        together.wait()
        return labelled(service.address, large)

    with ThreadPoolExecutor(CALLERS) as pool:
        answers = list(pool.map(call, range(CALLERS)))

    assert answers == [expected] * CALLERS
    taken = service.resident("VmHWM") - before
    share = taken / (PLACES * large.voxels.nbytes)
    assert taken < PLACES * large.voxels.nbytes * MEMORY_PER_VOLUME + MARGIN, f"{share:.2f}"
    if most is not None:
        assert service.resident("VmHWM") < most
    # Given back, but for what chunks and threads leave.
    assert service.resident() - before < large.voxels.nbytes // 2 + MARGIN

"""Segments the voxels of a file, and says of each stage that it has reached it."""

from __future__ import annotations

import sys

import grpc
import numpy as np

from osteoserve_preprocessing.geometry import Geometry, Volume
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb
from osteoserve_preprocessing.v1.preprocessing_pb2_grpc import PreprocessingServiceStub
from tests.preprocessing.server.test_overload import whole

if __name__ == "__main__":
    voxels = np.load(sys.argv[2])
    study = Volume(voxels, Geometry(voxels.shape, (2.0, 0.9, 0.9)))
    with grpc.insecure_channel(sys.argv[1]) as channel:
        for response in PreprocessingServiceStub(channel).Segment(whole(study), timeout=120):
            if response.WhichOneof("payload") == "progress":
                sys.stdout.write(pb.Progress.Stage.Name(response.progress.stage) + "\n")
                sys.stdout.flush()

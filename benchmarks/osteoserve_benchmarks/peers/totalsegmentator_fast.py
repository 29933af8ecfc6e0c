"""TotalSegmentator's fast mode on the CPU, its own code from DICOM files to a NIfTI label map.

Its weights would be downloaded; a folder with random ones stands in their place, so it finds them
there. It would report that it was used; that is switched off in its settings. Neither is tried.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from osteoserve_benchmarks.way import Stages
from osteoserve_client.cli.segment.stages import Times

#: Of the network at 3 mm, (Z, Y, X) voxels.
PATCH: Final = (112, 112, 128)
TASK: Final = "total"


class TotalSegmentatorFast:
    """What ``TotalSegmentator --fast --ml`` does.

    Args:
        scratch: Empty folder for its settings and its model.
    """

    def __init__(self, scratch: Path) -> None:
        settings = {
            "totalseg_id": "none",
            "send_usage_stats": False,
            "prediction_counter": 0,
            "statistics_disclaimer_shown": True,
        }
        (scratch / "config.json").write_text(json.dumps(settings), encoding="utf-8")
        results = scratch / "models"
        os.environ |= {"TOTALSEG_HOME_DIR": str(scratch), "TOTALSEG_WEIGHTS_PATH": str(results)}
        from totalsegmentator.config import setup_nnunet

        setup_nnunet()  # before nnU-Net is imported, which then reads where its models are
        from totalsegmentator.map_tasks_config import TASK_ID_WEIGHTS_CONFIGS
        from totalsegmentator.map_to_binary import class_map
        from totalsegmentator.python_api import get_task_config

        from osteoserve_benchmarks.peers.nnunet_model import write_model

        task = get_task_config(TASK, fast=True, quiet=True)
        _, self._parameters = write_model(
            results,
            dataset=TASK_ID_WEIGHTS_CONFIGS[task["task_id"]]["foldername"],
            trainer=task["trainer"],
            classes=1 + len(class_map[TASK]),
            patch=PATCH,
            spacing_mm=(task["resample"],) * 3,
            mirrored=False,
        )

    def run(self, study: Path, out: Path) -> Stages:
        """See `Way.run`."""
        from totalsegmentator.python_api import totalsegmentator

        times = Times()
        times.measured(
            "segment",
            lambda: totalsegmentator(
                study, out / "total.nii.gz", task=TASK, fast=True, ml=True, device="cpu", quiet=True
            ),
        )
        return times

    def parameters(self) -> int:
        """See `PeerWay.parameters`."""
        return self._parameters

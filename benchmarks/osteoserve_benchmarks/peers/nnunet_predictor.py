"""nnU-Net's predictor on the CPU, with a network of its usual size."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import SimpleITK
import torch
from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

from osteoserve_benchmarks.peers.nnunet_model import write_model
from osteoserve_benchmarks.way import Stages
from osteoserve_client.cli.segment.stages import Times

CLASSES: Final = 25
PATCH: Final = (128, 128, 128)
SPACING_MM: Final = (3.0, 3.0, 3.0)


class NnunetPredictor:
    """DICOM files to a NIfTI label map, all in one process, as for a single volume.

    Mirroring, which takes eight times as long, is off, as by ``nnUNetv2_predict --disable_tta``.

    Args:
        scratch: Empty folder for its model.
    """

    def __init__(self, scratch: Path) -> None:
        folder, self._parameters = write_model(
            scratch,
            dataset="Dataset900_random",
            trainer="nnUNetTrainer",
            classes=CLASSES,
            patch=PATCH,
            spacing_mm=SPACING_MM,
            mirrored=True,
        )
        self._predictor = nnUNetPredictor(
            use_mirroring=False,
            perform_everything_on_device=False,
            device=torch.device("cpu"),
            allow_tqdm=False,
        )
        self._predictor.initialize_from_trained_model_folder(str(folder), use_folds=(0,))

    def run(self, study: Path, out: Path) -> Stages:
        """See `Way.run`."""
        times = Times()
        files = SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(study))
        image, properties = times.measured("read", lambda: SimpleITKIO().read_images([files]))
        times.measured(
            "predict",
            lambda: self._predictor.predict_single_npy_array(
                image, properties, None, str(out / "nnunet")
            ),
        )
        return times

    def parameters(self) -> int:
        """See `PeerWay.parameters`."""
        return self._parameters

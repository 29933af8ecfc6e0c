"""A model folder as nnU-Net leaves one after training, with weights that nobody trained.

TotalSegmentator's downloads have this form too. Nothing is fetched.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from nnunetv2.experiment_planning.experiment_planners.network_topology import (
    get_pool_and_conv_props,
)
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

PLANS: Final = "nnUNetPlans"
CONFIGURATION: Final = "3d_fullres"

#: As nnU-Net's ExperimentPlanner has them: no edge of the deepest features is shorter than this,
_LEAST_EDGE: Final = 4
#: and so many features has the first stage, and no stage more than so many.
_FEATURES: Final = (32, 320)
_CHANNELS: Final = 1


def write_model(
    results: Path,
    *,
    dataset: str,
    trainer: str,
    classes: int,
    patch: Sequence[int],
    spacing_mm: Sequence[float],
    mirrored: bool,
) -> tuple[Path, int]:
    """Write plans, labels and a checkpoint, by nnU-Net's own rules for a patch of this size.

    Args:
        results: nnU-Net's folder of results.
        dataset: Folder in it, "DatasetNNN_name".
        trainer: Name of the trainer's class.
        classes: Background among them.
        patch: (Z, Y, X) voxels.
        spacing_mm: (z, y, x) at which the network works.
        mirrored: Whether it may be shown mirrored images at prediction.

    Returns:
        The model's folder, and the number of its network's parameters.
    """
    plans = _plans(dataset, patch, spacing_mm)
    architecture = plans["configurations"][CONFIGURATION]["architecture"]
    torch.manual_seed(0)
    network = get_network_from_plans(
        architecture["network_class_name"],
        architecture["arch_kwargs"],
        architecture["_kw_requires_import"],
        _CHANNELS,
        classes,
        deep_supervision=False,
    )
    folder = results / dataset / f"{trainer}__{PLANS}__{CONFIGURATION}"
    (folder / "fold_0").mkdir(parents=True)
    (folder / "plans.json").write_text(json.dumps(plans), encoding="utf-8")
    labels = {"background": 0} | {f"class_{n}": n for n in range(1, classes)}
    described = {
        "channel_names": {"0": "CT"},
        "labels": labels,
        "numTraining": 0,
        "file_ending": ".nii.gz",
    }
    (folder / "dataset.json").write_text(json.dumps(described), encoding="utf-8")
    checkpoint = {
        "network_weights": network.state_dict(),
        "trainer_name": trainer,
        "init_args": {"configuration": CONFIGURATION},
        "inference_allowed_mirroring_axes": (0, 1, 2) if mirrored else None,
    }
    torch.save(checkpoint, folder / "fold_0" / "checkpoint_final.pth")
    return folder, sum(weights.numel() for weights in network.parameters())


def _plans(dataset: str, patch: Sequence[int], spacing_mm: Sequence[float]) -> dict[str, Any]:
    resampling = {"order_z": 0, "force_separate_z": None}
    named = "resample_data_or_seg_to_shape"
    return {
        "dataset_name": dataset,
        "plans_name": PLANS,
        "original_median_spacing_after_transp": list(spacing_mm),
        "original_median_shape_after_transp": list(patch),
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        # Of the foreground's HU, as CTNormalization wants them.
        "foreground_intensity_properties_per_channel": {
            "0": {
                "max": 3000.0,
                "mean": 100.0,
                "median": 80.0,
                "min": -1024.0,
                "percentile_00_5": -1000.0,
                "percentile_99_5": 1000.0,
                "std": 300.0,
            }
        },
        "configurations": {
            CONFIGURATION: {
                "data_identifier": f"{PLANS}_{CONFIGURATION}",
                "preprocessor_name": "DefaultPreprocessor",
                "batch_size": 2,
                "patch_size": list(patch),
                "median_image_size_in_voxels": list(patch),
                "spacing": list(spacing_mm),
                "normalization_schemes": ["CTNormalization"],
                "use_mask_for_norm": [False],
                "resampling_fn_data": named,
                "resampling_fn_data_kwargs": {"is_seg": False, "order": 3, **resampling},
                "resampling_fn_seg": named,
                "resampling_fn_seg_kwargs": {"is_seg": True, "order": 1, **resampling},
                "resampling_fn_probabilities": named,
                "resampling_fn_probabilities_kwargs": {"is_seg": False, "order": 1, **resampling},
                "batch_dice": True,
                "architecture": _architecture(patch, spacing_mm),
            }
        },
    }


def _architecture(patch: Sequence[int], spacing_mm: Sequence[float]) -> dict[str, Any]:
    _, strides, kernels, _, _ = get_pool_and_conv_props(spacing_mm, patch, _LEAST_EDGE, 999)
    stages = len(strides)
    first, most = _FEATURES
    return {
        "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
        "arch_kwargs": {
            "n_stages": stages,
            "features_per_stage": [min(first * 2**stage, most) for stage in range(stages)],
            "conv_op": "torch.nn.modules.conv.Conv3d",
            "kernel_sizes": [[int(n) for n in kernel] for kernel in kernels],
            "strides": [[int(n) for n in stride] for stride in strides],
            "n_conv_per_stage": [2] * stages,
            "n_conv_per_stage_decoder": [2] * (stages - 1),
            "conv_bias": True,
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
            "norm_op_kwargs": {"eps": 1e-5, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }

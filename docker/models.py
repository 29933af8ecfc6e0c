"""What NVIDIA's Triton does not do for a model repository: compare digests, and turn ONNX to plans.

    models.py check REPOSITORY --profile gpu      compare every model file with its digest
    models.py commands REPOSITORY ENGINES         write ENGINES/build.sh, for NVIDIA's container
    models.py repository REPOSITORY ENGINES       write ENGINES/repository, which serves the plans
    models.py lay-out REPOSITORY                  write the models of this installation there

Run by compose.yaml and by kubernetes/ in the image of the service.
"""

from __future__ import annotations

import argparse
import hashlib
import shlex
import shutil
import sys
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from osteoserve_preprocessing.errors import OptionError
from osteoserve_preprocessing.inference.configuration import (
    ONNX_FILE,
    PLAN_FILE,
    PlanFile,
    serve_plan,
)
from osteoserve_preprocessing.server.settings import packaged_repository
from osteoserve_preprocessing.triton.repository import model_folders

DIGEST = "osteoserve.model_sha256"

#: Height and width, pixels, that a plan for all sizes is fastest at, and the largest it takes:
#: those of osteoserve export.
USUAL_SIDE, LARGEST_SIDE = 512, 1024
#: Batches that plans are fastest at, those of osteoserve export too.
USUAL_SLICES, USUAL_IMAGES = 8, 4


class ModelError(Exception):
    """A repository cannot be served, in one line."""


def check(repository: Path, profile: str) -> list[str]:
    """Names of the models, each of whose files has the digest that its configuration states.

    Args:
        repository: Triton model repository.
        profile: Deployment profile, as for Triton's ``--model-config-name``.

    Raises:
        ModelError: There is no model, or one lacks the profile or its file, or has another digest.
    """
    for model in _models(repository):
        config = _config(model, profile)
        for version in config.version_policy.specific.versions:
            file = model / str(version) / config.default_model_filename
            if not file.is_file():
                raise ModelError(f"{file} is absent")
            if _sha256(file) != config.parameters[DIGEST].string_value:
                raise ModelError(f"{file} is not the file that {model.name} was published with")
    return [model.name for model in _models(repository)]


def build_script(repository: Path, engines: Path) -> str:
    """Shell commands that build the plan of each model's ONNX file, by TensorRT's own trtexec.

    Args:
        repository: Triton model repository, at the place that it has where the script runs.
        engines: Folder for the plans, likewise.

    Raises:
        ModelError: There is no model, or one lacks the profile "gpu".
    """
    lines = ["set -eu", "PATH=$PATH:/usr/src/tensorrt/bin"]
    for model in _models(repository):
        config = _config(model, "gpu")
        plan = _plan(engines, model.name)
        partial = plan.with_suffix(".partial")
        onnx = model / str(config.version_policy.specific.versions[0]) / ONNX_FILE
        trtexec = [
            *("trtexec", f"--onnx={onnx}", f"--saveEngine={partial}", "--stronglyTyped"),
            *_shapes(config),
            *("--builderOptimizationLevel=3", "--skipInference"),
        ]
        lines.append(shlex.join(["mkdir", "-p", str(plan.parent)]))
        lines.append(shlex.join(trtexec))
        lines.append(shlex.join(["mv", str(partial), str(plan)]))
    return "\n".join(lines) + "\n"


def plan_repository(repository: Path, engines: Path) -> list[str]:
    """Write the repository that serves the plans, in place of an older one.

    Args:
        repository: Triton model repository that the plans were built from.
        engines: Folder with them; gets ``repository``.

    Returns:
        The names of its models.

    Raises:
        ModelError: There is no model, or one has no plan.
        OSError: It cannot be written.
    """
    partial, whole = engines / "repository.partial", engines / "repository"
    shutil.rmtree(partial, ignore_errors=True)
    for model in _models(repository):
        plan = _plan(engines, model.name)
        if not plan.is_file():
            raise ModelError(f"{plan} is absent: it was not built")
        config = _config(model, "tensorrt")
        # Configured for ONNX Runtime's TensorRT; a plan replaces it, in its own precision.
        precision = config.parameters["osteoserve.file_precision"].string_value
        serve_plan(config, PlanFile(digest=_sha256(plan), precision=precision))
        folder = partial / model.name
        version = folder / str(config.version_policy.specific.versions[0])
        version.mkdir(parents=True)
        shutil.copyfile(plan, version / PLAN_FILE)
        for name in ("config.pbtxt", "configs/tensorrt.pbtxt"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text_format.MessageToString(config), encoding="utf-8")
    if whole.exists():
        shutil.rmtree(whole)
    partial.rename(whole)
    return check(whole, "tensorrt")


def lay_out(repository: Path) -> list[str]:
    """Write the model repository that comes with this installation to a folder.

    Returns:
        The names of its models.

    Raises:
        OptionError: None comes with it.
        OSError: It cannot be written.
    """
    shutil.copytree(packaged_repository(), repository, dirs_exist_ok=True)
    return [model.name for model in _models(repository)]


def _shapes(config: model_config_pb2.ModelConfig) -> list[str]:
    (tensor,) = config.input
    largest = config.max_batch_size
    if -1 in tensor.dims:
        side = 2 * int(config.parameters["osteoserve.size_multiple"].string_value)
        sizes = [(1, side), (min(USUAL_SLICES, largest), USUAL_SIDE), (largest, LARGEST_SIDE)]
        shapes = [(batch, side, side) for batch, side in sizes]
    else:
        shapes = [(batch, *tensor.dims) for batch in (1, min(USUAL_IMAGES, largest), largest)]
    return [
        f"--{which}Shapes={tensor.name}:{'x'.join(map(str, shape))}"
        for which, shape in zip(("min", "opt", "max"), shapes, strict=True)
    ]


def _models(repository: Path) -> list[Path]:
    models = model_folders(repository)
    if not models:
        raise ModelError(f"{repository} holds no model")
    return models


def _config(model: Path, profile: str) -> model_config_pb2.ModelConfig:
    path = model / "configs" / f"{profile}.pbtxt"
    try:
        return text_format.Parse(path.read_text("utf-8"), model_config_pb2.ModelConfig())
    except (OSError, text_format.ParseError) as error:
        raise ModelError(f"{path} cannot be read: {error}") from error


def _plan(engines: Path, name: str) -> Path:
    return engines / "plans" / name / PLAN_FILE


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def main(arguments: list[str]) -> str | None:
    """Do what the command line asks for; returns what was wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    subcommands = parser.add_subparsers(dest="do", required=True)
    for name in ("check", "commands", "repository", "lay-out"):
        command = subcommands.add_parser(name)
        command.add_argument("repository", type=Path)
        if name == "check":
            command.add_argument("--profile", required=True)
        elif name != "lay-out":
            command.add_argument("engines", type=Path)
    asked = parser.parse_args(arguments)
    try:
        if asked.do == "check":
            print("digests agree:", *check(asked.repository, asked.profile))  # noqa: T201
        elif asked.do == "lay-out":
            print("laid out:", *lay_out(asked.repository))  # noqa: T201
        elif asked.do == "commands":
            script = build_script(asked.repository, asked.engines)
            (asked.engines / "build.sh").write_text(script, encoding="utf-8")
        else:
            print("plans of:", *plan_repository(asked.repository, asked.engines))  # noqa: T201
    except (ModelError, OptionError, OSError) as error:
        return str(error)
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The commands of this package; none imports torch before it is called.

``train``, ``export`` and ``parity`` are part of the one command ``osteoserve``; all are reached by
``python -m osteoserve_export``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

RECIPES = Path(__file__).parent / "training" / "recipes"
RECIPE = RECIPES / "unet_skeleton.toml"

folder = click.Path(path_type=Path, exists=True, file_okay=False)
existing = click.Path(path_type=Path, exists=True)
existing_file = click.Path(path_type=Path, exists=True, dir_okay=False)
new_path = click.Path(path_type=Path)


def _recipe_file(_context: click.Context, parameter: click.Parameter, value: str) -> Path:
    """A recipe by its name, or its file."""
    shipped = {path.stem: path for path in sorted(RECIPES.glob("*.toml"))}
    path = shipped.get(value, Path(value))
    if not path.is_file():
        message = f"{value} is no file, and no recipe among {', '.join(shipped)}"
        raise click.BadParameter(message, param=parameter)
    return path


recipe_option = click.option(
    "--recipe",
    callback=_recipe_file,
    default=RECIPE.stem,
    show_default=True,
    metavar="NAME|FILE",
    help="Recipe: of this package by its name, or TOML.",
)
checkpoint_option = click.option(
    "--checkpoint", type=existing_file, required=True, help="Weights (.safetensors)."
)
study_option = click.option(
    "--study",
    "studies",
    multiple=True,
    type=existing,
    help="To prove parity on: a CT; for a detector a bone scan (DICOM), or a PNG of both views.",
)
threads_option = click.option("--threads", type=click.IntRange(1), help="Threads of torch.")


class _Refusal(click.ClickException):
    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit_code = code  # type: ignore[misc]  # click's own commands set it so


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn the errors of this package, and of the preprocessing, into one line and an exit code.

    The codes are those of ``osteoserve``: 6 where a model could not be written, 3 otherwise, for
    what is given is refused.
    """
    from osteoserve_export.errors import ExportError, PublishError
    from osteoserve_preprocessing.errors import PreprocessingError

    try:
        yield
    except (ExportError, PreprocessingError) as error:
        code = 6 if isinstance(error, PublishError) else 3
        raise _Refusal(str(error), code) from error


@click.command("train", short_help="Train a network on images and labels.")
@click.option("--data", type=folder, help="Folder that the recipe's studies lie in.")
@click.option(
    "--pairs",
    type=folder,
    multiple=True,
    help="Folder of study folders: image/ (DICOM) or image.nii.gz, and labels.nii.gz; for a "
    "detector dicom/ and labels/.",
)
@recipe_option
@click.option("--hold-out", metavar="STUDY", help="Study of the recipe that must not be seen.")
@click.option("--steps", type=click.IntRange(1), help="Of the first stage, not the recipe's.")
@click.option(
    "--start-from",
    type=existing_file,
    help="Weights after the first stage; only the refinement is run.",
)
@click.option(
    "--first-cycle",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="First cycle of the refinement, where --start-from went through earlier ones.",
)
@threads_option
@click.option("--compiled", is_flag=True, help="Compile the network (needs a C++ compiler).")
@click.option("--out", type=new_path, required=True, help="Weights to write (.safetensors).")
def train(
    data: Path | None,
    pairs: tuple[Path, ...],
    recipe: Path,
    hold_out: str | None,
    steps: int | None,
    start_from: Path | None,
    first_cycle: int,
    threads: int | None,
    compiled: bool,
    out: Path,
) -> None:
    """Train the network of a recipe on images and labels.

    The seeds are the recipe's: the same data, settings and number of threads on the same machine
    give the same weights.
    """
    from osteoserve_export.training.run import TrainingRun
    from osteoserve_export.training.start import start_training

    run = TrainingRun(
        recipe=recipe,
        data=data,
        pairs=pairs,
        hold_out=hold_out,
        steps=steps,
        start_from=start_from,
        first_cycle=first_cycle,
        threads=threads,
        compiled=compiled,
        out=out,
    )
    with one_line_errors():
        start_training(run, say=click.echo)


@click.command("evaluate", short_help="Compare a network's masks with references.")
@checkpoint_option
@click.option("--data", type=folder, help="Folder that the recipe's studies lie in.")
@click.option("--pairs", type=folder, multiple=True, help="Folder of bone scans, for a detector.")
@recipe_option
@click.option("--study", "names", multiple=True, help="Only these studies of the recipe.")
@threads_option
def evaluate(
    checkpoint: Path,
    data: Path | None,
    pairs: tuple[Path, ...],
    recipe: Path,
    names: tuple[str, ...],
    threads: int | None,
) -> None:
    """Answer as the served model would, and print figures of each class."""
    from osteoserve_export.training.run import EvaluationRun
    from osteoserve_export.training.start import start_evaluation

    run = EvaluationRun(
        checkpoint=checkpoint, recipe=recipe, data=data, pairs=pairs, names=names, threads=threads
    )
    with one_line_errors():
        start_evaluation(run, say=click.echo)


@click.command("export", short_help="Export a checkpoint into the Triton model repository.")
@click.argument("architecture", metavar="[ARCH]", required=False)
@click.option("--weights", type=existing_file, required=True, help="Checkpoint.")
@click.option("--config", type=existing_file, help="Specification (TOML); options go before it.")
@click.option("--name", help="Of the model in the repository.")
@click.option(
    "--repository",
    type=new_path,
    default=Path("model_repository"),
    show_default=True,
    help="Triton model repository.",
)
@click.option("--version", type=click.IntRange(1), help="Version directory. Default: 1.")
@click.option("--format", "formats", metavar="onnx[,tensorrt]", help="Files to write.")
@click.option("--precision", type=click.Choice(["fp32", "fp16", "int8"]))
@click.option("--labels", metavar="NAME,...", help="Names of the classes, without background.")
@click.option(
    "--option", "options", multiple=True, metavar="KEY=VALUE", help="Of the architecture."
)
@click.option("--window", metavar="LOW,HIGH", help="HU that 0 and 255 stand for.")
@click.option("--normalisation", type=click.Choice(["interpatient", "inpatient"]))
@click.option("--pixel-spacing", type=float, metavar="MM", help="That the network was trained on.")
@click.option("--pixel-spacing-range", metavar="LOW,HIGH", help="Taken as it is, mm.")
@click.option("--mean", metavar="M[,M,M]", help="Subtracted from grey values 0..1.")
@click.option("--std", metavar="S[,S,S]", help="That they are divided by after that.")
@click.option("--activation", type=click.Choice(["threshold", "argmax"]))
@click.option("--threshold", type=float, help="Probability above which a pixel is foreground.")
@click.option("--probabilities/--no-probabilities", default=None, help="A second output.")
@click.option("--space-to-depth/--no-space-to-depth", default=None, help="For CPUs with AMX.")
@click.option("--size-multiple", type=click.IntRange(1), help="Of height and width.")
@click.option("--image-size", metavar="ROWS,COLUMNS", help="Of a detector's images.")
@click.option("--max-batch", type=click.IntRange(1), help="Images in one request.")
@click.option("--tolerance", type=float, help="Least Dice, where not the default; is reported.")
@click.option("--logit-tolerance", type=float, help="Largest relative difference of a logit.")
@click.option("--match-rate", type=float, help="Least share of detections that match.")
@click.option("--score-tolerance", type=float, help="Largest difference of a detection's score.")
@study_option
@click.option("--card", type=existing_file, help="Model card (Markdown) to put beside it.")
def export(
    architecture: str | None,
    weights: Path,
    config: Path | None,
    repository: Path,
    studies: tuple[Path, ...],
    card: Path | None,
    **given: Any,
) -> None:
    """Export a checkpoint to a model that Triton serves, and prove that it answers the same.

    ARCH is unet, resnet_unet, or package.module:factory for a network of your own, which label CT
    slices; or mask_rcnn, which finds regions in bone scans. Every option may stand in a
    specification (--config); the one that was used is written beside the model. Nothing is
    written unless ONNX Runtime, OpenVINO and Triton agree with PyTorch.
    """
    with one_line_errors():
        from osteoserve_export.options import asked_for
        from osteoserve_export.publish import ExportRun, export_model

        asked = asked_for(config, architecture=architecture, **given)
        run = ExportRun(
            asked=asked, weights=weights, repository=repository, studies=studies, card=card
        )
        export_model(run, say=click.echo)


@click.command("parity", short_help="Compare a model folder with the checkpoint it came from.")
@click.argument("model", type=folder)
@click.option("--weights", type=existing_file, required=True, help="Checkpoint.")
@study_option
def parity(model: Path, weights: Path, studies: tuple[Path, ...]) -> None:
    """Prove again that the folder MODEL answers as its checkpoint does. Writes nothing."""
    with one_line_errors():
        from osteoserve_export.publish import prove_model

        prove_model(model, weights, studies, say=click.echo)


@click.group()
def main() -> None:
    """Train, evaluate and export the networks of Osteoserve."""


for command in (train, evaluate, export, parity):
    main.add_command(command)

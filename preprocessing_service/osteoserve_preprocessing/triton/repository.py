"""What can be seen of a model repository before Triton is started with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from osteoserve_preprocessing.errors import TritonStartError
from osteoserve_preprocessing.profiles import BF16, CPU, configuration_file


def check_repository(repository: Path, profile: str, models: Sequence[str] = ()) -> None:
    """Refuse a repository that Triton would serve, but not as it was asked to.

    Triton takes config.pbtxt without a word where a model has no configuration of the profile's
    name, and starts with an empty repository.

    Args:
        repository: The model repository.
        profile: Which configuration of each model.
        models: Names of those to serve; none stands for all.

    Raises:
        TritonStartError: There is no model in it, or not one that is asked for, or a model lacks
            the profile. "bf16" is no model's duty, if it is then served as on any CPU;
            "cpu" may be a config.pbtxt alone.
    """
    found = {folder.name: folder for folder in model_folders(repository)}
    if not found:
        raise TritonStartError(f"no model (a folder with a config.pbtxt) in {repository}")
    for name in models or found:
        if name not in found:
            raise TritonStartError(f"no model {name} in {repository} (it has: {', '.join(found)})")
        profiles = sorted(path.stem for path in found[name].glob("configs/*.pbtxt"))
        plain = profile == BF16 or (profile == CPU and not profiles)
        if profile not in profiles and not plain:
            raise TritonStartError(
                f"model {name} has no profile {profile!r} (it has: {', '.join(profiles)})"
            )
        if profile == BF16:
            _check_same_on_any_cpu(found[name])


def _check_same_on_any_cpu(model: Path) -> None:
    served, cpu = (configuration_file(model, profile) for profile in (BF16, CPU))
    if served.stem != BF16 and served.read_bytes() != cpu.read_bytes():
        raise TritonStartError(
            f"model {model.name} has no profile {BF16!r}; {served.name}, which Triton takes "
            f"instead, is not configs/{cpu.name}: make them alike, or serve --profile {CPU}"
        )


def link_models(repository: Path, models: Sequence[str], folder: Path) -> Path:
    """A repository that holds some models of another.

    Args:
        repository: The other.
        models: Names of the models.
        folder: Made here; holds links.
    """
    folder.mkdir()
    for name in models:
        (folder / name).symlink_to(repository / name, target_is_directory=True)
    return folder


def model_folders(repository: Path) -> list[Path]:
    """Folders of the models in a repository, sorted by name."""
    return sorted(path.parent for path in repository.glob("*/config.pbtxt"))

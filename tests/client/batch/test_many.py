"""A batch of a thousand that is done already: looked through in seconds, and nobody is asked."""

from __future__ import annotations

import csv
import time
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from osteoserve_client.batch.candidates import BatchInput
from osteoserve_client.batch.digests import output_digests
from osteoserve_client.batch.outcome import Outcome
from osteoserve_client.batch.search import find_inputs
from osteoserve_client.batch.session import STORE, TABLE, Request, opened
from osteoserve_client.jobs import JobStore, State
from osteoserve_client.reading.files import unreported
from osteoserve_client.service import ServiceClient

MANY, FAILED = 1000, 30
#: Two are enough on a machine that does nothing else.
PATIENCE_S = 30.0


class Silent:
    """Nobody watches."""

    def progress(self, step: str, done: int, total: int) -> None:
        pass

    def note(self, line: str) -> None:
        raise AssertionError(line)

    def ended(self, given: BatchInput, state: State, text: str) -> None:
        raise AssertionError(f"{given.key} {state} {text}")


def nobody(_: str | None) -> AbstractContextManager[ServiceClient]:
    raise AssertionError("a service is asked, though there is nothing to do")


def finish(store: JobStore, key: str, out: Path) -> None:
    """As a run does that has segmented a job, which is the first that waits."""
    volumes = out / key / "volumes.csv"
    volumes.parent.mkdir()
    volumes.write_text(key)
    outcome = Outcome(
        digests=dict(output_digests([volumes])),
        outputs=(volumes.name,),
        modality="CT",
        found="skeleton",
        model="unet_skeleton",
        model_version="1",
        model_sha256="0" * 64,
        warnings=(),
    )
    document = outcome.document()
    store.finish(key, digests=document.pop("digests"), result=document)


@pytest.mark.slow
def test_what_is_done_is_found_again_in_seconds(tmp_path: Path) -> None:
    scans, out = tmp_path / "in", tmp_path / "out"
    scans.mkdir()
    out.mkdir()
    for number in range(MANY):
        (scans / f"{number}.nii").write_text(str(number))
    inputs = find_inputs([scans], out=out, on_progress=unreported).inputs
    request = Request(given=(scans,), out=out)
    with JobStore(out / STORE) as store:
        for number, one in enumerate(inputs.values()):
            store.add(one.key, {"modality": "CT", "fingerprint": one.fingerprint})
            assert store.claim() is not None
            if number < FAILED:
                store.fail(one.key, "is none", kind="InputError")
            else:
                finish(store, one.key, out)
    began = time.monotonic()
    with opened(request, Silent()) as session:
        session.run(nobody, own=False)
        ended = session.close()
    assert time.monotonic() - began < PATIENCE_S
    assert (ended.count(State.DONE), ended.count(State.FAILED)) == (MANY - FAILED, FAILED)
    with (out / TABLE).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["job"] for row in rows] == list(inputs)
    assert [row["error"] for row in rows].count("is none") == FAILED
    assert len({row["sha256 volumes.csv"] for row in rows if row["state"] == "done"}) == (
        MANY - FAILED
    )

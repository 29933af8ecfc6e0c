"""Inputs become jobs of the store, which may know them from an earlier run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from osteoserve_client.batch.candidates import BatchInput
from osteoserve_client.batch.folders import Folders
from osteoserve_client.batch.outcome import Outcome
from osteoserve_client.batch.verdict import TRANSIENT
from osteoserve_client.errors import UsageError
from osteoserve_client.jobs import Job, JobStore, State
from osteoserve_client.reading.files import Progress
from osteoserve_client.segmenting.options import Options


def settle_options(store: JobStore, options: Options, models: tuple[str, ...]) -> None:
    """Hold the store to one set of options, so that no folder mixes results of two.

    Raises:
        UsageError: It began with others.
    """
    wanted = {**asdict(options), "models": sorted(models)}
    begun = store.settled("options", wanted)
    if not isinstance(begun, dict) or begun == wanted:
        return
    others = sorted(name for name in wanted if begun.get(name) != wanted[name])
    raise UsageError(
        f"the batch in this folder was begun with other options ({', '.join(others)}): "
        "give those again, or another folder"
    )


def enrol(
    store: JobStore,
    inputs: Mapping[str, BatchInput],
    folders: Folders,
    *,
    retry_failed: bool,
    on_progress: Progress,
) -> tuple[str, ...]:
    """Add what is new, and begin anew what has to be.

    That is a job whose input has changed, whose outputs are gone or changed, that failed for the
    service's reasons, or, where asked for, for any.

    Returns:
        What there is to say of it, one line each.
    """
    changed = damaged = 0
    for done, given in enumerate(inputs.values(), start=1):
        payload = {"modality": given.modality, "fingerprint": given.fingerprint}
        if not store.add(given.key, payload):
            job = store.get(given.key)
            if job is None:
                raise LookupError(given.key)
            if job.payload != payload:
                changed += store.again(given.key, payload=payload)
            elif job.state is State.DONE and not _is_intact(job, folders):
                damaged += store.again(given.key)
            elif job.state is State.FAILED and (retry_failed or job.error_kind in TRANSIENT):
                store.again(given.key)
        on_progress(done, len(inputs))
    notes = (
        (changed, "inputs have changed since they were segmented, and are segmented anew"),
        (damaged, "jobs were done, but their outputs are gone or changed: they are done anew"),
        (
            len(store.jobs()) - len(inputs),
            "jobs of earlier runs are not among the inputs, and are left as they are",
        ),
    )
    return tuple(f"{count} {words}" for count, words in notes if count)


def _is_intact(job: Job, folders: Folders) -> bool:
    outcome = Outcome.read({**job.result, "digests": job.digests})
    return outcome.is_intact(folders.of(job.key))

"""Adds, begins and ends jobs until it is killed, and says of each once the call has returned."""

import sys
from pathlib import Path

from osteoserve_client.jobs import JobStore


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


with JobStore(Path(sys.argv[1])) as store:
    say("open")
    number = len(store.jobs())
    while True:
        key = f"job-{number}"
        store.add(key, {"number": number})
        say(f"added {key}")
        job = store.claim()
        if job is not None:
            store.note(job.key, {"half": True})
            if number % 3:
                store.finish(job.key, digests={"output": job.key})
                say(f"done {job.key}")
            else:
                store.fail(job.key, "refused", kind="InputError")
                say(f"failed {job.key}")
        number += 1

"""Runs the command, and sends its own process a signal at the first step of a kind.

The kinds are those that must not be torn: renaming a folder into place, and each change of the
store; ``before`` or ``after`` it.
"""

import os
import sys
import time
from itertools import count
from pathlib import Path

from osteoserve_client.batch.folders import Folders
from osteoserve_client.cli import main
from osteoserve_client.jobs import JobStore

STEPS = {
    "claim": (JobStore, "claim"),
    "note": (JobStore, "note"),
    "publish": (Folders, "publish"),
    "finish": (JobStore, "finish"),
    "rename": (Path, "rename"),
}

#: Longer than the command would take to end without waiting for the step.
PAUSE_S = 3.0


def signalling(step: str, when: str, number: int) -> None:
    owner, name = STEPS[step]
    original, calls = getattr(owner, name), count()

    def signalled(*args, **kwargs):
        if next(calls) > 0:
            return original(*args, **kwargs)
        if when == "before":
            signal_and_pause()
            return original(*args, **kwargs)
        result = original(*args, **kwargs)
        signal_and_pause()
        return result

    def signal_and_pause():
        os.kill(os.getpid(), number)
        time.sleep(PAUSE_S)

    setattr(owner, name, signalled)


signalling(sys.argv[1], sys.argv[2], int(sys.argv[3]))
sys.argv = ["osteoserve", *sys.argv[4:]]
main()

"""One run of tritonserver, from its start to the last trace of it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from osteoserve_preprocessing.errors import TritonStartError
from osteoserve_preprocessing.triton import guardian
from osteoserve_preprocessing.triton.distribution import TritonDistribution
from osteoserve_preprocessing.triton.ports import LOOPBACK
from osteoserve_preprocessing.triton.private_folder import PrivateFolder, remove_leftovers
from osteoserve_preprocessing.triton.repository import link_models
from osteoserve_preprocessing.triton.server_log import last_reason

#: Bytes of free shared memory below which Triton cannot pass 32 slices of 512x512 to the model and
#: their labels back. Docker's default for a container, 64 MB, is just enough.
SHARED_MEMORY_NEEDED = 48 << 20

#: Bytes of shared memory that each model starts with, enough for 16 such slices; it grows.
_INITIAL_SHARED_MEMORY = 16 << 20

#: Whoever reaches the port could read shared memory of others through a model, or have requests
#: logged. Triton closes such calls to those who do not send a header; HTTP/2 knows no header with
#: capitals, and gRPC drops the connection that brings one (RFC 9113, section 8.2.1).
_CLOSED_TO_ALL = "--grpc-restricted-protocol=shared-memory,trace,logging:NOBODY=0"


@dataclass(frozen=True)
class LaunchOptions:
    """What a tritonserver is started with.

    Args:
        repository: The model repository, absolute.
        profile: Triton's ``--model-config-name``.
        port: Port on loopback for gRPC, reserved beforehand.
        models: Names of the models to serve; none stands for all.
        metrics_port: Another such port, for Prometheus metrics; None serves none.
    """

    repository: Path
    profile: str
    port: int
    models: tuple[str, ...] = ()
    metrics_port: int | None = None


class TritonProcess:
    """A tritonserver under its guardian; it is running, not yet ready, when this returns.

    Args:
        options: What to start it with.
        log: A file open for reading and appending, to which it writes its log.

    Raises:
        TritonStartError: It cannot be started on this machine.
    """

    def __init__(self, options: LaunchOptions, log: IO[bytes]) -> None:
        distribution = TritonDistribution.find()
        remove_leftovers()
        check_shared_memory(guardian.SHARED_MEMORY, SHARED_MEMORY_NEEDED)
        self._log = log
        self._log_start = os.fstat(log.fileno()).st_size
        folder = PrivateFolder()
        self._directory, self._shm_prefix = folder.path, folder.shm_prefix
        try:
            check_executable(self._directory)
            distribution.lay_out(self._directory / "backends")
            if options.models:
                served = link_models(options.repository, options.models, self._directory / "models")
                options = replace(options, repository=served)
            self._guardian = self._spawn(distribution, options, folder.lock)
        except OSError as error:
            guardian.remove_traces(self._directory, self._shm_prefix)
            raise TritonStartError(f"tritonserver could not be started: {error}") from error
        except TritonStartError:
            guardian.remove_traces(self._directory, self._shm_prefix)
            raise
        finally:
            folder.release()

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._guardian.poll() is None

    @property
    def guardian_id(self) -> int:
        """Process id of its guardian, whose child it is."""
        return self._guardian.pid

    def log_reason(self) -> str:
        """Why it ended, or does not get ready, in the words of its own log."""
        size = os.fstat(self._log.fileno()).st_size - self._log_start
        text = os.pread(self._log.fileno(), size, self._log_start)
        return last_reason(text.decode(errors="replace"))

    def stop(self, *, in_good_order: bool = True) -> None:
        """End it and wait until no trace of it is left.

        Args:
            in_good_order: Whether requests that are running may end, for a few seconds.
        """
        assert self._guardian.stdin is not None  # noqa: S101  # it was opened with a pipe
        with contextlib.suppress(BrokenPipeError):
            if in_good_order:
                self._guardian.stdin.write(b"\n")
            self._guardian.stdin.close()
        try:
            self._guardian.wait(3 * guardian.GRACE_S)
        except subprocess.TimeoutExpired:
            self._guardian.kill()  # with which the kernel kills tritonserver
            self._guardian.wait()
        # The guardian has done so, unless it was killed itself.
        guardian.remove_traces(self._directory, self._shm_prefix)

    def _spawn(
        self, distribution: TritonDistribution, options: LaunchOptions, lock: int
    ) -> subprocess.Popen[bytes]:
        server = server_command(
            distribution.server, self._directory / "backends", self._shm_prefix, options
        )
        return subprocess.Popen(
            # By path and isolated: it must start fast, and from whatever folder the caller is in.
            [
                *(sys.executable, "-I", guardian.__file__),
                *(str(self._directory), self._shm_prefix, *server),
            ],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=self._log,
            env=distribution.environment(),
            pass_fds=[lock],
            start_new_session=True,  # Ctrl-C reaches the parent alone, which then stops this
        )


def server_command(
    server: Path, backends: Path, shm_prefix: str, options: LaunchOptions
) -> list[str]:
    """The command line of a tritonserver that listens on loopback, for gRPC and, if so, metrics."""
    return [
        str(server),
        f"--model-repository={options.repository}",
        f"--model-config-name={options.profile}",
        f"--backend-directory={backends}",
        # With another mode, anybody who reaches the port could load, and so run, code.
        "--model-control-mode=none",
        # The configuration is the contract: what it lacks is refused, not guessed.
        "--disable-auto-complete-config",
        "--exit-on-error=true",
        f"--exit-timeout-secs={int(guardian.GRACE_S)}",
        "--allow-grpc=true",
        f"--grpc-address={LOOPBACK}",
        f"--grpc-port={options.port}",
        "--reuse-grpc-port=true",
        _CLOSED_TO_ALL,
        "--allow-http=false",
        *_metrics(options.metrics_port),
        "--log-format=ISO8601",
        f"--backend-config=python,shm-region-prefix-name={shm_prefix}",
        f"--backend-config=python,shm-default-byte-size={_INITIAL_SHARED_MEMORY}",
    ]


def _metrics(port: int | None) -> list[str]:
    if port is None:
        return ["--allow-metrics=false"]
    return ["--allow-metrics=true", f"--metrics-address={LOOPBACK}", f"--metrics-port={port}"]


def check_shared_memory(folder: Path, needed: int) -> None:
    """Refuse to start where Triton and its Python processes cannot pass tensors to each other.

    Raises:
        TritonStartError: Less than ``needed`` bytes are free there.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise TritonStartError(
            f"only {free >> 20} MiB of shared memory are free in {folder}, {needed >> 20} MiB are "
            "needed; in Docker, give the container more with --shm-size=1g"
        )


def check_executable(folder: Path) -> None:
    """Refuse a folder from which no library can be loaded, as Docker's tmpfs mounts are.

    Raises:
        TritonStartError: It is mounted with ``noexec``.
    """
    if os.statvfs(folder).f_flag & os.ST_NOEXEC:
        raise TritonStartError(
            f"{folder.parent} forbids execution (noexec); set TMPDIR to another folder, or mount "
            "it with exec"
        )

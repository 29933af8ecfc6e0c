"""What the operator chooses."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

import osteoserve_preprocessing
from osteoserve_preprocessing.errors import OptionError
from osteoserve_preprocessing.server.limits import Limits

DEFAULT_PORT = 8471


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a service runs.

    Args:
        host: Address to listen on; loopback only, since calls are neither encrypted nor
            authenticated.
        port: Port to listen on; 0 takes a free one.
        triton: "HOST:PORT" of an external Triton's gRPC; None starts the embedded one.
        repository: Model repository of the embedded Triton; None takes the one that comes with
            this package.
        models: Names of the models that the embedded Triton serves; none stands for all of the
            repository.
        profile: Deployment profile of the embedded Triton: "cpu" or "gpu".
        triton_log: Where the embedded Triton writes its log; None drops it.
        reflection: Whether to answer gRPC server reflection.
        limits: Bounds.

    Raises:
        OptionError: The host is not loopback, or the port is none.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    triton: str | None = None
    repository: Path | None = None
    models: tuple[str, ...] = ()
    profile: str = "cpu"
    triton_log: Path | None = None
    reflection: bool = False
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not _is_loopback(self.host):
            raise OptionError(
                f"host {self.host} is not loopback: voxels would travel unencrypted and anybody "
                "could call; listen on 127.0.0.1 and put a TLS proxy in front"
            )
        if not 0 <= self.port <= 65535:
            raise OptionError(f"port must be 0..65535, not {self.port}")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def packaged_repository() -> Path:
    """The model repository of this installation: the wheel's, or the checkout's.

    Raises:
        OptionError: There is none.
    """
    package = Path(osteoserve_preprocessing.__file__).parent
    candidates = (package / "model_repository", package.parents[1] / "model_repository")
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise OptionError("no model repository comes with this installation: name one by --repository")

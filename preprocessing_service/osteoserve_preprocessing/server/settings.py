"""What the operator chooses."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

import osteoserve_preprocessing
from osteoserve_preprocessing.errors import OptionError
from osteoserve_preprocessing.profiles import AUTO
from osteoserve_preprocessing.server.limits import Limits

DEFAULT_PORT = 8471


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a service runs.

    Args:
        host: Address to listen on; another than loopback needs TLS, and clients that show a
            token or a certificate.
        port: Port to listen on; 0 takes a free one.
        triton: "HOST:PORT" of an external Triton's gRPC, several with commas between, or
            "dns:///NAME:PORT", each of whose addresses is a Triton; None starts the embedded one.
        repository: Model repository of the embedded Triton; None takes the one that comes with
            this package.
        models: Names of the models that the embedded Triton serves; none stands for all of the
            repository.
        profile: Deployment profile of the embedded Triton: "cpu", "bf16", "gpu", or "auto" for
            "bf16" on a CPU that computes in it and "cpu" on others.
        triton_log: Where the embedded Triton writes its log; None drops it.
        reflection: Whether to answer gRPC server reflection.
        shared_memory: Whether callers of the same machine and user may share the memory of their
            volume instead of sending it.
        tls_certificate: The server's certificate, PEM; None serves without TLS.
        tls_key: Its key.
        tls_client_ca: Whose certificates clients must show; None asks them for none.
        tokens: Token file: every call must bring one of them. None asks for none.
        audit_log: Where one line a request is appended; None keeps none.
        metrics_address: "HOST:PORT" where Prometheus finds metrics, under the same TLS and tokens
            as the service; None serves none.
        traces_endpoint: Collector to which OpenTelemetry traces are sent, such as
            "http://localhost:4317"; None takes the OTEL_EXPORTER_OTLP variables, and without them
            nothing is sent.
        log_format: "text" or "json".
        log_level: "debug", "info", "warning" or "error".
        limits: Bounds.

    Raises:
        OptionError: A port or address is none, TLS is configured in part, or strangers of other
            machines could call or read.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    triton: str | None = None
    repository: Path | None = None
    models: tuple[str, ...] = ()
    profile: str = AUTO
    triton_log: Path | None = None
    reflection: bool = False
    shared_memory: bool = True
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    tokens: Path | None = None
    audit_log: Path | None = None
    metrics_address: str | None = None
    traces_endpoint: str | None = None
    log_format: str = "text"
    log_level: str = "info"
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise OptionError("TLS needs both certificate and key (--tls-certificate, --tls-key)")
        if self.tls_client_ca and not self.tls_certificate:
            raise OptionError("a client CA needs TLS (--tls-certificate, --tls-key)")
        for host in self._hosts():
            if not _is_loopback(host):
                self._check_open_to_others(host)
        if self.traces_endpoint and not self.traces_endpoint.startswith(("http://", "https://")):
            raise OptionError("a collector of traces is http://HOST:PORT or https://HOST:PORT")
        if not 0 <= self.port <= 65535:
            raise OptionError(f"port must be 0..65535, not {self.port}")
        if self.triton is not None:
            # Here, for its package needs what only a running service does.
            from osteoserve_preprocessing.inference.targets import parse_targets

            parse_targets(self.triton)

    def _hosts(self) -> tuple[str, ...]:
        """Everything that is listened on."""
        if self.metrics_address is None:
            return (self.host,)
        return self.host, host_and_port(self.metrics_address)[0]

    def _check_open_to_others(self, host: str) -> None:
        if not self.tls_certificate:
            raise OptionError(
                f"host {host} is not loopback: voxels would travel unencrypted and anybody "
                "could call; configure TLS (osteoserve credentials init makes what it needs)"
            )
        if not (self.tokens or self.tls_client_ca):
            raise OptionError(
                f"host {host} is not loopback: anybody could call; ask for tokens "
                "(--tokens) or for clients' certificates (--tls-client-ca)"
            )


def host_and_port(address: str) -> tuple[str, int]:
    """The parts of "HOST:PORT"; an IPv6 address stands in brackets.

    Raises:
        OptionError: It is none.
    """
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdecimal() or int(port) > 65535:
        raise OptionError(f"an address is HOST:PORT, not {address}")
    return host, int(port)


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

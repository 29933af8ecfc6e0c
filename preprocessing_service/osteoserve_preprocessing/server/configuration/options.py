"""Every option of the service, each once: add one here, and its field to `Settings`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import click

from osteoserve_preprocessing.profiles import AUTO, BF16, CPU
from osteoserve_preprocessing.server.configuration.setting import Setting
from osteoserve_preprocessing.server.configuration.sizes import Size, shown
from osteoserve_preprocessing.server.limits import Limits
from osteoserve_preprocessing.server.settings import DEFAULT_PORT

#: Table of the file that holds the limits.
LIMITS: Final = "limits"

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)


def settings() -> tuple[Setting, ...]:
    """New ones for a command: those of `Settings`, then those of `Limits`."""
    return (*_settings(), *_limits())


def _settings() -> Iterator[Setting]:
    yield Setting(
        ["--host"],
        default="127.0.0.1",
        show_default=True,
        help="Address; other than loopback only with TLS and clients that are known.",
    )
    yield Setting(["--port"], default=DEFAULT_PORT, show_default=True, help="0 takes a free one.")
    yield Setting(
        ["--triton"],
        metavar="HOST:PORT[,...]",
        help="External Tritons' gRPC, or dns:///NAME:PORT for all behind a name; without it, one "
        "is started.",
    )
    yield Setting(
        ["--repository"], type=_FOLDER, help="Model repository. Default: the one shipped."
    )
    yield Setting(
        ["--model", "models"],
        multiple=True,
        metavar="NAME",
        help="Serve this model of the repository; may be repeated. Default: all of them.",
    )
    yield Setting(
        ["--profile"],
        type=click.Choice([AUTO, CPU, BF16, "gpu"]),
        default=AUTO,
        show_default=True,
        help="Deployment profile of the embedded Triton. auto: bf16 where the CPU computes in it, "
        "for models that were proved in it, else cpu, which is fp32.",
    )
    yield Setting(["--triton-log"], type=_FILE, help="Where the embedded Triton writes its log.")
    yield Setting(
        ["--reflection/--no-reflection"], default=False, help="Answer gRPC server reflection."
    )
    yield Setting(
        ["--shared-memory/--no-shared-memory"],
        default=True,
        show_default=True,
        help="Let callers of the same machine and user share a volume's memory, not send it.",
    )
    yield Setting(
        ["--tls-certificate"], type=_FILE, help="The server's certificate, PEM: turns TLS on."
    )
    yield Setting(["--tls-key"], type=_FILE, help="Its key, PEM, that nobody else may read.")
    yield Setting(
        ["--tls-client-ca"],
        type=_FILE,
        help="Ask clients for a certificate that this CA has signed.",
    )
    yield Setting(
        ["--tokens"],
        type=_FILE,
        help="Ask for a token of this file (osteoserve credentials token).",
    )
    yield Setting(
        ["--audit-log"], type=_FILE, help="Append one line of JSON a request: who, what, when."
    )
    yield Setting(
        ["--metrics-address"],
        metavar="HOST:PORT",
        help="Serve Prometheus metrics there, under the same TLS and tokens (scope metrics).",
    )
    yield Setting(
        ["--traces-endpoint"],
        metavar="URL",
        help="Send OpenTelemetry traces there (OTLP, gRPC). Default: OTEL_EXPORTER_OTLP_ENDPOINT.",
    )
    yield Setting(
        ["--log-format"],
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="Of the service's own log, on standard error.",
    )
    yield Setting(
        ["--log-level"],
        type=click.Choice(["debug", "info", "warning", "error"]),
        default="info",
        show_default=True,
        help="Least that is logged.",
    )


def _limits() -> Iterator[Setting]:
    for bound in fields(Limits):
        yield Setting(
            [f"--{bound.name.replace('_', '-')}"],
            table=LIMITS,
            show_default=True,
            help=bound.metadata["meaning"],
            **_kind(bound.name, bound.default),
        )


def _kind(name: str, default: Any) -> dict[str, Any]:
    """Type, default and placeholder of a limit, after the unit in its name."""
    if name.endswith("_bytes"):
        return {"type": Size(), "default": shown(default), "metavar": "SIZE"}
    metavar = "SECONDS" if name.endswith("_s") else "NUMBER"
    return {"type": type(default), "default": default, "metavar": metavar}

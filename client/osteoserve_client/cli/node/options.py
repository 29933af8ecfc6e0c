"""The node's options, by what they are about."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Command = Callable[..., Any]

_FILE = click.Path(dir_okay=False, path_type=Path)
_AMOUNT = click.FloatRange(0)

_OWN = (
    click.option("--aet", default="OSTEOSERVE", show_default=True, help="The node's AE title."),
    click.option(
        "--host",
        default="127.0.0.1",
        show_default=True,
        help="Address; other than loopback only with --allow-from or --dicom-tls-ca.",
    ),
    click.option("--port", default=11112, show_default=True, help="0 takes a free one."),
    click.option(
        "--dry-run", is_flag=True, help="Receive and decide; ask no service, send nothing."
    ),
    click.option(
        "--workers",
        type=click.IntRange(1, 16),
        default=2,
        show_default=True,
        help="Jobs at a time.",
    ),
    click.option("--ct-model", metavar="NAME", help="Which model to ask about CT."),
    click.option("--nm-model", metavar="NAME", help="Which model to ask about bone scans."),
    click.option(
        "--resample-tilt", is_flag=True, help="Resample CT of a tilted gantry instead of refusing."
    ),
)

_DESTINATIONS = (
    click.option(
        "--send",
        multiple=True,
        metavar="AET@HOST:PORT",
        help="Send masks here by C-STORE; may be repeated.",
    ),
    click.option("--send-tls", multiple=True, metavar="AET@HOST:PORT", help="Likewise, over TLS."),
    click.option(
        "--stow",
        multiple=True,
        metavar="URL",
        help="Send masks here by STOW-RS, as https://pacs.example/dicom-web; may be repeated.",
    ),
    click.option("--stow-token-file", type=_FILE, help="File with the bearer token for --stow."),
    click.option("--stow-password-file", type=_FILE, help="File with USER:PASSWORD for --stow."),
    click.option("--stow-ca", type=_FILE, help="Authority of its certificate, PEM."),
)

_PEERS = (
    click.option(
        "--calling", multiple=True, metavar="AET", help="AE title that may send.  [default: any]"
    ),
    click.option(
        "--allow-from",
        multiple=True,
        metavar="ADDRESS",
        help="Address or network that may connect, as 10.1.2.0/24.  [default: any]",
    ),
    click.option("--any-called", is_flag=True, help="Take calls for another AE title too."),
    click.option("--dicom-tls-certificate", type=_FILE, help="The node's, PEM: turns TLS on."),
    click.option("--dicom-tls-key", type=_FILE, help="Its key, PEM, that nobody else may read."),
    click.option("--dicom-tls-ca", type=_FILE, help="Whose certificates peers must show, PEM."),
)


def _amount(name: str, default: float, unit: str, text: str) -> Callable[[Command], Command]:
    return click.option(
        name, type=_AMOUNT, default=default, show_default=True, metavar=unit, help=text
    )


_PATIENCE = (
    _amount("--settle", 30, "SECONDS", "A series is complete when nothing has come for so long."),
    click.option(
        "--release/--no-release",
        default=True,
        show_default=True,
        help="Whether its sender must have released the association besides.",
    ),
    _amount("--broken-off", 3600, "SECONDS", "How long a sender that broke off may come back."),
    _amount(
        "--retry-after",
        5,
        "SECONDS",
        "Until what failed is tried again; then twice as long each time, up to 10 minutes.",
    ),
    _amount("--give-up", 72, "HOURS", "Until that ends."),
    _amount("--drain", 60, "SECONDS", "How long SIGTERM lets finish what is begun."),
    _amount("--keep", 0, "HOURS", "How long to keep what was sent."),
    _amount("--keep-failed", 168, "HOURS", "How long to keep what failed."),
    _amount("--remember", 90, "DAYS", "Until it is forgotten that a series was segmented."),
)

_BOUNDS = (
    _amount("--max-spool", 64, "GIB", "Refuse what would make the spool larger."),
    _amount("--min-free", 2, "GIB", "Refuse where less would be left free on its disk."),
    _amount("--max-instance", 2, "GIB", "Abort where one instance is larger."),
    click.option("--max-associations", type=click.IntRange(1), default=10, show_default=True),
    click.option(
        "--max-pdu", type=click.IntRange(4096, 1 << 24), default=131072, show_default=True
    ),
    _amount("--idle", 60, "SECONDS", "Abort an association on which nothing comes for so long."),
)


def node_options(function: Command) -> Command:
    """Add all of them."""
    for option in reversed((*_OWN, *_DESTINATIONS, *_PEERS, *_PATIENCE, *_BOUNDS)):
        function = option(function)
    return function

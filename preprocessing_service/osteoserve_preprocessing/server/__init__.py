"""The gRPC server: joins core, inference and the embedded Triton.

``cli`` is the way in, ``app`` starts and stops, ``service`` holds the RPC methods, ``pipeline``
says what happens to a volume.
"""

from __future__ import annotations

from osteoserve_preprocessing.server.limits import Limits
from osteoserve_preprocessing.server.settings import Settings

__all__ = ["Limits", "Settings", "serve"]


def serve(settings: Settings) -> None:
    """Run the service until SIGTERM or SIGINT.

    Args:
        settings: How.

    Raises:
        PreprocessingError: It could not be started.
    """
    # Here, so that `osteoserve serve --help` loads neither gRPC nor NumPy's friends.
    from osteoserve_preprocessing.server.app import run

    run(settings)

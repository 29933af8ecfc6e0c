"""``osteoserve doctor``: what is wrong with this machine, and how to mend it."""

from osteoserve_preprocessing.server.doctor import bounds, machine, memory, network, serving
from osteoserve_preprocessing.server.doctor.findings import Finding, State, healthy, report
from osteoserve_preprocessing.server.settings import Settings

__all__ = ["Finding", "State", "examine", "healthy", "report"]


def examine(settings: Settings) -> tuple[Finding, ...]:
    """Ask every question; Triton is started, or the named one asked, for the last ones.

    Args:
        settings: What would be served, and how.
    """
    return (
        machine.numpy_version(),
        machine.cpu(),
        machine.gpu(settings.profile),
        memory.memory(settings.limits),
        bounds.limits(settings.limits),
        machine.shared_memory(),
        machine.temporary_folder(),
        network.port(settings),
        *network.tls(settings),
        *network.tokens(settings),
        *network.audit_log(settings),
        *serving.models(settings),
        *serving.triton(settings),
    )

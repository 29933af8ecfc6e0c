"""The storage SCP: answers C-ECHO and C-STORE (PS3.4 annexes A and B)."""

from __future__ import annotations

import logging
import tempfile
import threading
from pathlib import Path
from typing import Any, Final

from pynetdicom import AE, _config, evt

from osteoserve_client.errors import InputError, MissingAttributeError, ModalityError, UsageError
from osteoserve_client.node.acceptance import presentation_contexts
from osteoserve_client.node.addresses import AeTitle
from osteoserve_client.node.associations import Associations, Visit
from osteoserve_client.node.connections import BoundedServer
from osteoserve_client.node.events import event, warn
from osteoserve_client.node.instances import Instance, identify
from osteoserve_client.node.settings import NodeSettings
from osteoserve_client.node.spool import Spool
from osteoserve_client.node.tls import acceptor_context

#: Answers to C-STORE (PS3.4 table B.2-1).
SUCCESS: Final = 0x0000
OUT_OF_RESOURCES: Final = 0xA700
NO_SUCH_OBJECT: Final = 0xA900
CANNOT_UNDERSTAND: Final = 0xC000

#: Longest wait for an association request, and for a peer to close, seconds (PS3.8 ARTIM).
_ACSE_S = 30.0


class Receiver:
    """Listens until it is closed.

    Args:
        settings: Who may send, and how much.
        spool: Where instances go.
        associations: Who is told what each association brings.

    Raises:
        UsageError: The address cannot be listened on, or TLS is not sound.
    """

    def __init__(self, settings: NodeSettings, spool: Spool, associations: Associations) -> None:
        self._settings, self._spool, self._associations = settings, spool, associations
        # Data sets go to the disk as they arrive, and their temporary files onto the spool's: a
        # file is then taken by renaming it.
        _config.STORE_RECV_CHUNKED_DATASET = True
        _config.LOG_HANDLER_LEVEL = "none"
        tempfile.tempdir = str(spool.incoming)
        # It quotes data sets; our own lines say what happened.
        logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)
        self._server = _listening(
            settings,
            [
                (evt.EVT_ACCEPTED, self._accepted),
                (evt.EVT_REJECTED, self._rejected),
                (evt.EVT_RELEASED, self._released),
                (evt.EVT_ABORTED, self._broken),
                (evt.EVT_DATA_RECV, self._arrives),
                (evt.EVT_C_ECHO, self._echo),
                (evt.EVT_C_STORE, self._store),
            ],
        )
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def stop_listening(self) -> None:
        """Take no more associations; those that are open go on."""
        self._server.shutdown()
        self._thread.join()

    def abort_all(self) -> None:
        """End the associations that are still open."""
        for association in self._server.active_associations:
            association.abort(block=False)

    def _accepted(self, occasion: Any) -> None:
        peer = occasion.assoc.requestor
        self._associations.accepted(
            occasion.assoc, caller=AeTitle.shown(peer.ae_title), address=str(peer.address)
        )

    def _rejected(self, occasion: Any) -> None:
        peer = occasion.assoc.requestor
        warn(
            "rejected",
            caller=AeTitle.shown(peer.ae_title),
            called=AeTitle.shown(str(peer.primitive.called_ae_title)),
            address=peer.address,
            why="AE title not allowed, or too many associations",
        )

    def _released(self, occasion: Any) -> None:
        self._associations[occasion.assoc].released = True

    def _broken(self, occasion: Any) -> None:
        visit = self._associations.get(occasion.assoc)
        if visit is not None:
            visit.broken = True

    def _arrives(self, occasion: Any) -> None:
        """Bound what is written of an instance before its end is known."""
        visit = self._associations.get(occasion.assoc)
        if visit is None:
            return
        visit.arriving += len(occasion.data)
        if visit.arriving > self._settings.bounds.instance_bytes:
            self._abort(occasion, visit, "an instance is too large")
        elif self._settings.disk_is_nearly_full():
            self._abort(occasion, visit, "the disk is nearly full")

    def _abort(self, occasion: Any, visit: Visit, why: str) -> None:
        if not visit.aborted:
            visit.aborted = True
            warn("aborted", caller=visit.caller, address=visit.address, why=why)
            occasion.assoc.abort(block=False)

    def _echo(self, occasion: Any) -> int:
        visit = self._associations[occasion.assoc]
        visit.arriving = 0
        event("echo", caller=visit.caller, address=visit.address)
        return SUCCESS

    def _store(self, occasion: Any) -> int:
        visit = self._associations[occasion.assoc]
        visit.arriving = 0
        try:
            return self._taken(occasion, visit)
        except Exception as error:  # noqa: BLE001 - pynetdicom would log it with the data set
            # Its text may hold a patient's data; its type cannot.
            return self._refused(visit, CANNOT_UNDERSTAND, f"unexpected {type(error).__name__}")

    def _taken(self, occasion: Any, visit: Visit) -> int:
        path: Path = occasion.dataset_path
        # pynetdicom closes the file after this; what it holds back must be on the disk before.
        occasion.request._dataset_file.flush()
        try:
            instance = identify(
                path,
                sop_class=str(occasion.request.AffectedSOPClassUID),
                sop_instance=str(occasion.request.AffectedSOPInstanceUID),
            )
        except (MissingAttributeError, ModalityError) as error:
            return self._refused(visit, NO_SUCH_OBJECT, str(error))
        except InputError as error:
            return self._refused(visit, CANNOT_UNDERSTAND, str(error))
        if not self._settings.has_room(self._spool.used + path.stat().st_size):
            return self._no_room(occasion, visit, instance, "the spool is full")
        try:
            visit.new += self._spool.store(path, instance, association=visit.name)
        except OSError as error:
            return self._no_room(occasion, visit, instance, str(error.strerror))
        visit.series[instance.series] = visit.series.get(instance.series, 0) + 1
        return SUCCESS

    def _no_room(self, occasion: Any, visit: Visit, instance: Instance, why: str) -> int:
        try:
            self._spool.lacks(instance)
        except OSError:
            # It cannot even be noted that the series is not whole: end the association, which is
            # noted already if anything of the series was taken.
            visit.whole = False
            self._abort(occasion, visit, "the disk is full")
        warn("refused", caller=visit.caller, series=instance.series, status="0xA700", why=why)
        visit.refused += 1
        return OUT_OF_RESOURCES

    def _refused(self, visit: Visit, status: int, why: str) -> int:
        visit.refused, visit.whole = visit.refused + 1, False
        warn("refused", caller=visit.caller, status=f"0x{status:04X}", why=why)
        return status


def _listening(settings: NodeSettings, handlers: list[Any]) -> BoundedServer:
    tls = None if settings.tls is None else acceptor_context(settings.tls)
    ae = _application(settings)
    try:
        server = BoundedServer(ae, settings=settings, tls=tls, handlers=handlers)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        raise UsageError(f"cannot listen on {where}: {error.strerror or 'no address'}") from error
    # Its shutdown takes it out again.
    ae._servers.append(server)
    return server


def _application(settings: NodeSettings) -> AE:
    ae = AE(ae_title=settings.ae_title)
    ae.supported_contexts = list(presentation_contexts())
    ae.maximum_associations = settings.bounds.associations
    ae.maximum_pdu_size = settings.bounds.pdu_bytes
    ae.network_timeout = settings.bounds.idle_s
    ae.acse_timeout = _ACSE_S
    ae.dimse_timeout = settings.bounds.idle_s
    ae.require_calling_aet = list(settings.calling)
    ae.require_called_aet = not settings.any_called
    return ae

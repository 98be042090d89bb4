"""Running the collector: one worker under Granian, started again when it dies."""

import signal
from typing import Final

from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server

from amity.infra.config import settings
from amity.infra.process import die_with_parent

_BACKLOG: Final = 2048
_HEADER_MILLIS: Final = 10_000


def serve() -> None:
    """Serve until a signal comes; raises what keeps the address from being bound."""
    die_with_parent(signal.SIGTERM)
    using = settings()
    Server(
        "amity.edge.app:app",
        address=using.edge_host,
        port=using.edge_port,
        interface=Interfaces.RSGI,
        workers=1,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        websockets=False,
        backlog=_BACKLOG,
        http1_settings=HTTP1Settings(header_read_timeout=_HEADER_MILLIS),
        log_level=LogLevels.warning,
        respawn_failed_workers=True,
        respawn_interval=0.2,
        workers_kill_timeout=6,
    ).serve()

"""Serves the screens and the control API: Django by WSGI under Granian."""

from granian import Granian
from granian.constants import Interfaces

from amity.infra.config import settings
from amity.infra.process import die_with_parent


def serve() -> None:
    """Serve until told to stop; Granian starts its worker again when that dies."""
    die_with_parent()
    Granian(
        "amity.site.wsgi:application",
        interface=Interfaces.WSGI,
        address=settings().web_host,
        port=settings().web_port,
        workers=1,
        blocking_threads=8,
        respawn_failed_workers=True,
        log_access=False,
    ).serve()


if __name__ == "__main__":
    serve()

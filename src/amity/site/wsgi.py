"""The web process as a WSGI application."""

import os
import signal

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from amity.infra.process import collect_garbage_seldom, die_with_parent
from amity.infra.telemetry import configure_logging
from amity.kernel.structs import settle_types

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "amity.site.settings")
configure_logging()
collect_garbage_seldom()
# Granian's worker waits for its parent's word to end; a parent that was killed gives none.
die_with_parent(signal.SIGKILL)
application = get_wsgi_application()
# Every screen is imported now: one that cannot be ends the start, not a visitor's request.
get_resolver().url_patterns  # noqa: B018  # a property that loads
settle_types()

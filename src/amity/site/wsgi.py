"""The web process as a WSGI application."""

import os
import signal

from django.core.wsgi import get_wsgi_application

from amity.infra.process import die_with_parent
from amity.infra.telemetry import configure_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "amity.site.settings")
configure_logging()
# Granian's worker waits for its parent's word to end; a parent that was killed gives none.
die_with_parent(signal.SIGKILL)
application = get_wsgi_application()

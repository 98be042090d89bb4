"""The web process as a WSGI application."""

import os

from django.core.wsgi import get_wsgi_application

from amity.infra.telemetry import configure_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "amity.site.settings")
configure_logging()
application = get_wsgi_application()

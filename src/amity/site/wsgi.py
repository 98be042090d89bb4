"""The web process as a WSGI application."""

import os

from django.core.wsgi import get_wsgi_application

from amity.infra.process import die_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "amity.site.settings")
die_with_parent()
application = get_wsgi_application()

"""Django's own needs: settings, urls, wsgi, staff admin."""

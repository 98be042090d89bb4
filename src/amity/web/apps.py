"""Django's entry to the shell: base templates, tags, static files."""

from django.apps import AppConfig


class WebConfig(AppConfig):
    """The shell's place in Django."""

    name = "amity.web"
    label = "web"

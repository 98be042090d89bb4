"""Django's entry to the broadcast engine."""

from django.apps import AppConfig


class BroadcastConfig(AppConfig):
    """The broadcast engine's place in Django; only for migrations and the staff admin."""

    name = "amity.broadcast"
    label = "broadcast"
    default_auto_field = "django.db.models.BigAutoField"

"""Django's entry to the store."""

from django.apps import AppConfig


class StoreConfig(AppConfig):
    """The store's place in Django; only for migrations and the staff admin."""

    name = "amity.store"
    label = "store"
    default_auto_field = "django.db.models.BigAutoField"

"""Django's entry to the staff records."""

from django.apps import AppConfig


class StaffConfig(AppConfig):
    """Staff records' place in Django."""

    name = "amity.web.staff"
    label = "staff"
    default_auto_field = "django.db.models.BigAutoField"

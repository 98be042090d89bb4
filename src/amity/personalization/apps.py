"""Django's entry to the personalization engine."""

from django.apps import AppConfig


class PersonalizationConfig(AppConfig):
    """The personalization engine's place in Django; only for migrations and the staff admin."""

    name = "amity.personalization"
    label = "personalization"
    default_auto_field = "django.db.models.BigAutoField"

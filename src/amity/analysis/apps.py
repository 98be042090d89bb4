"""Django's entry to the analysis engine."""

from django.apps import AppConfig


class AnalysisConfig(AppConfig):
    """The analysis engine's place in Django; only for migrations and the staff admin."""

    name = "amity.analysis"
    label = "analysis"
    default_auto_field = "django.db.models.BigAutoField"

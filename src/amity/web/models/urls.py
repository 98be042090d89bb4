"""Address of the models."""

from django.urls import path

from amity.web.models import reliability, views
from amity.web.shell import Entry

urlpatterns = [
    path("models/", views.models, name="models"),
    path("models/reliability/", reliability.reliability, name="models_reliability"),
    path("models/reliability.csv", reliability.reliability_csv, name="models_reliability_csv"),
]
RAIL = [
    Entry(
        label="Models",
        url_name="models",
        capability="models.read",
        group="Understand",
        order=30,
        key="m",
    )
]

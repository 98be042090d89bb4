"""Address of the models."""

from django.urls import path

from amity.web.models import views
from amity.web.shell import Entry

urlpatterns = [path("models/", views.models, name="models")]
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

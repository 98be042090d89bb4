"""The decisions' addresses, and their place in the rail."""

from django.urls import path

from amity.web.decisions import views
from amity.web.shell import Entry

RAIL = [
    Entry(
        label="Decisions",
        url_name="decisions",
        capability="decisions.read",
        group="Decide",
        order=30,
        key="d",
    )
]

urlpatterns = [
    path("decisions/", views.show_list, name="decisions"),
    path("decisions/<uuid:decision_id>/", views.show_one, name="decision"),
]

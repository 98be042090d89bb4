"""The journeys' addresses, and their place in the rail."""

from django.urls import path

from amity.web.journeys import views
from amity.web.shell import Entry

RAIL = [
    Entry(
        label="Journeys",
        url_name="journeys",
        capability="journeys.read",
        group="Reach",
        order=20,
        key="j",
    )
]

urlpatterns = [
    path("journeys/", views.show_list, name="journeys"),
    path("journeys/new/", views.create, name="journey_new"),
    path("journeys/check/", views.check, name="journey_check"),
    path("journeys/<int:journey_id>/", views.show_one, name="journey"),
    path("journeys/<int:journey_id>/flow/", views.show_flow, name="journey_flow"),
    path("journeys/<int:journey_id>/edit/", views.change, name="journey_edit"),
    path("journeys/<int:journey_id>/state/", views.set_state, name="journey_state"),
]

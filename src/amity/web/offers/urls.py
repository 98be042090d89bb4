"""The addresses of offers and placements, and their places in the rail."""

from django.urls import path

from amity.web.offers import placements, views
from amity.web.shell import Entry

RAIL = [
    Entry(
        label="Offers",
        url_name="offers",
        capability="offers.read",
        group="Decide",
        order=10,
        key="f",
        count=views.count_live,
    ),
    Entry(
        label="Placements",
        url_name="placements",
        capability="offers.read",
        group="Decide",
        order=20,
        key="p",
    ),
]

urlpatterns = [
    path("offers/", views.show_list, name="offers"),
    path("offers/new/", views.create, name="offer_new"),
    path("offers/<int:offer_id>/", views.change, name="offer"),
    path("offers/<int:offer_id>/state/", views.set_state, name="offer_state"),
    path("placements/", placements.show_list, name="placements"),
    path("placements/new/", placements.create, name="placement_new"),
    path("placements/<int:placement_id>/", placements.show_one, name="placement"),
    path("placements/<int:placement_id>/edit/", placements.change, name="placement_edit"),
    path("placements/<int:placement_id>/arms/", placements.show_arms, name="placement_arms"),
    path("placements/<int:placement_id>/try/", placements.try_it, name="placement_try"),
]

"""Addresses of the rules for traits, and their place in the rail."""

from django.urls import path

from amity.web.shell import Entry
from amity.web.traits import views

RAIL = [
    Entry(
        label="Traits",
        url_name="trait_rules",
        capability="sources.read",
        group="Foundation",
        order=14,
    )
]

urlpatterns = [
    path("traits/", views.show_rules, name="trait_rules"),
    path("traits/set/", views.set_rule, name="trait_rule_set"),
    path("traits/remove/", views.remove_rule, name="trait_rule_remove"),
]

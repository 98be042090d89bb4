"""Address of the warehouse, and its place in the rail."""

from django.urls import path

from amity.web.shell import Entry
from amity.web.warehouse import views

urlpatterns = [path("warehouse/", views.show, name="warehouse")]
RAIL = [
    Entry(
        label="Warehouse",
        url_name="warehouse",
        capability="sources.read",
        group="Foundation",
        order=80,
    )
]

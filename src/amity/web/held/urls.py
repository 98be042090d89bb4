"""Address of the data map, and its place in the rail."""

from django.urls import path

from amity.web.held import views
from amity.web.shell import Entry

urlpatterns = [path("held/", views.show, name="held")]
RAIL = [
    Entry(
        label="What we hold",
        url_name="held",
        capability="about.read",
        group="Foundation",
        order=90,
    )
]

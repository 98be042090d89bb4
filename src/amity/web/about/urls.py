"""Address of "about this data"."""

from django.urls import path

from amity.web.about import views
from amity.web.shell import Entry

urlpatterns = [path("about/", views.about, name="about")]
RAIL = [
    Entry(
        label="About this data",
        url_name="about",
        capability="about.read",
        group="Foundation",
        order=90,
        key="a",
    )
]

"""Addresses of the overview."""

from django.urls import path

from amity.web.overview import views
from amity.web.shell import Entry

urlpatterns = [
    path("", views.overview, name="overview"),
    path("overview/pulse/", views.pulse, name="overview_pulse"),
]
RAIL = [Entry(label="Overview", url_name="overview", capability="overview.read", order=10, key="o")]

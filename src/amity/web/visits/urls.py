"""Addresses of visits and of the own site's pages, and their places in the rail."""

from django.urls import path

from amity.web.shell import Entry
from amity.web.visits import views

RAIL = [
    Entry(
        label="Visits",
        url_name="visits",
        capability="visits.read",
        group="Understand",
        order=40,
    ),
    Entry(
        label="Site pages",
        url_name="site_pages",
        capability="visits.read",
        group="Foundation",
        order=28,
    ),
]

urlpatterns = [
    path("visits/", views.show_visits, name="visits"),
    path("site/", views.show_pages, name="site_pages"),
    path("site/page/", views.show_page, name="site_page"),
    path("site/settings/", views.configure, name="site_settings"),
    path("site/read/", views.read, name="site_read"),
]

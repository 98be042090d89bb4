"""The retention screens' addresses, and their place in the rail."""

from django.urls import path

from amity.web.retention import history, views
from amity.web.shell import Entry

RAIL = [
    Entry(
        label="Retention",
        url_name="retention",
        capability="about.read",
        group="Foundation",
        order=91,
        count=history.count_failed,
    )
]

urlpatterns = [
    path("retention/", views.show_list, name="retention"),
    path("retention/new/", views.create, name="retention_new"),
    path("retention/runs/", history.show_runs, name="retention_runs"),
    path("retention/runs.csv", history.export_runs, name="retention_runs_csv"),
    path("retention/rules/<str:key>/", views.show_one, name="retention_rule"),
    path("retention/rules/<str:key>/save/", views.save, name="retention_save"),
    path("retention/rules/<str:key>/preview/", views.preview, name="retention_preview"),
    path("retention/rules/<str:key>/run/", views.run, name="retention_run"),
    path("retention/rules/<str:key>/reset/", views.reset, name="retention_reset"),
]

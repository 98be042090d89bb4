"""The imports' addresses, and their place in the rail."""

from django.urls import path

from amity.web.imports import views
from amity.web.shell import Entry

RAIL = [
    Entry(
        label="Imports",
        url_name="imports",
        capability="imports.read",
        group="Foundation",
        order=20,
        key="i",
    )
]

urlpatterns = [
    path("imports/", views.show_list, name="imports"),
    path("imports/upload/", views.upload, name="import_upload"),
    path("imports/new/<slug:token>/", views.map_columns, name="import_map"),
    path("imports/<int:import_id>/", views.show_one, name="import"),
    path("imports/<int:import_id>/problems.csv", views.download_problems, name="import_problems"),
    path("imports/<int:import_id>/start/", views.bring_in, name="import_start"),
    path("imports/<int:import_id>/cancel/", views.cancel, name="import_cancel"),
]

"""The exports' addresses, and their place in the rail."""

from django.urls import path

from amity.web.exports import views
from amity.web.shell import Entry

RAIL = [
    Entry(
        label="Exports", url_name="exports", capability="exports.run", group="Foundation", order=32
    )
]

urlpatterns = [
    path("exports/", views.show_list, name="exports"),
    path("exports/new/", views.create, name="export_new"),
    path("exports/<int:export_id>/", views.show_one, name="export"),
    path("exports/<int:export_id>/edit/", views.change, name="export_edit"),
    path("exports/<int:export_id>/try/", views.send_trial, name="export_try"),
    path("exports/<int:export_id>/run/", views.run, name="export_run"),
    path("exports/<int:export_id>/switch/", views.switch, name="export_switch"),
    path("exports/<int:export_id>/delete/", views.delete, name="export_delete"),
    path("exports/runs/<int:run_id>/file/", views.download, name="export_file"),
]

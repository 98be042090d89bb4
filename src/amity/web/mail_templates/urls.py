"""The templates' addresses, and their place in the rail."""

from django.urls import path

from amity.web.mail_templates import previews, views
from amity.web.shell import Entry

RAIL = [
    Entry(
        label="Templates",
        url_name="templates",
        capability="campaigns.read",
        group="Reach",
        order=30,
        key="t",
    )
]

urlpatterns = [
    path("templates/", views.show_list, name="templates"),
    path("templates/new/", views.create, name="template_new"),
    path("templates/preview/", previews.preview, name="template_preview"),
    path("templates/preview/body/", previews.preview_body, name="template_preview_body"),
    path("templates/<int:template_id>/", views.change, name="template"),
    path("templates/<int:template_id>/body/", previews.show_body, name="template_body"),
    path("templates/<int:template_id>/archive/", views.archive, name="template_archive"),
]

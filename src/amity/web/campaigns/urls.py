"""The campaigns' addresses, and their place in the rail."""

from django.urls import path

from amity.web.campaigns import editing, export, previews, running, views
from amity.web.shell import Entry

RAIL = [
    Entry(
        label="Campaigns",
        url_name="campaigns",
        capability="campaigns.read",
        group="Reach",
        order=10,
        key="r",
    )
]

urlpatterns = [
    path("campaigns/", views.show_list, name="campaigns"),
    path("campaigns/elsewhere/", views.show_observed, name="campaigns_elsewhere"),
    path("campaigns/new/", editing.create, name="campaign_new"),
    path("campaigns/estimate/", editing.estimate, name="campaign_estimate"),
    path("campaigns/<int:campaign_id>/", views.show_one, name="campaign"),
    path("campaigns/<int:campaign_id>/edit/", editing.change, name="campaign_edit"),
    path("campaigns/<int:campaign_id>/progress/", views.show_progress, name="campaign_progress"),
    path("campaigns/<int:campaign_id>/outcome/", views.show_outcome, name="campaign_outcome"),
    path("campaigns/<int:campaign_id>/preview/", previews.preview, name="campaign_preview"),
    path("campaigns/<int:campaign_id>/body/", previews.show_body, name="campaign_body"),
    path("campaigns/<int:campaign_id>/test/", previews.send_test, name="campaign_test"),
    path("campaigns/<int:campaign_id>/launch/", running.launch, name="campaign_launch"),
    path("campaigns/<int:campaign_id>/pause/", running.pause, name="campaign_pause"),
    path("campaigns/<int:campaign_id>/resume/", running.resume, name="campaign_resume"),
    path("campaigns/<int:campaign_id>/stop/", running.stop, name="campaign_stop"),
    path("campaigns/<int:campaign_id>/copy/", running.copy, name="campaign_copy"),
    path("campaigns/<int:campaign_id>/archive/", running.archive, name="campaign_archive"),
    path("campaigns/<int:campaign_id>/messages.csv", export.export, name="campaign_export"),
]

"""The outbound screens' addresses, and their place in the rail."""

from django.urls import path

from amity.web.outbound import views
from amity.web.shell import Entry

RAIL = [
    Entry(
        label="Webhooks",
        url_name="outbound",
        capability="outbound.read",
        group="Foundation",
        order=30,
        count=views.count_troubled,
    )
]

urlpatterns = [
    path("outbound/", views.show_list, name="outbound"),
    path("outbound/new/", views.create, name="outbound_new"),
    path("outbound/<int:endpoint_id>/", views.show_one, name="outbound_one"),
    path("outbound/<int:endpoint_id>/edit/", views.change, name="outbound_edit"),
    path("outbound/<int:endpoint_id>/state/", views.set_state, name="outbound_state"),
    path("outbound/<int:endpoint_id>/rotate/", views.rotate, name="outbound_rotate"),
    path("outbound/<int:endpoint_id>/try/", views.send_trial, name="outbound_try"),
    path("outbound/<int:endpoint_id>/replay/", views.replay, name="outbound_replay"),
    path("outbound/<int:endpoint_id>/delete/", views.delete, name="outbound_delete"),
]

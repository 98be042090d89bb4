"""The tracking plan's addresses, and their place in the rail."""

from django.urls import path

from amity.store import api_plans
from amity.web.shell import Entry
from amity.web.tracking import views

RAIL = [
    Entry(
        label="Tracking plan",
        url_name="tracking",
        capability="sources.read",
        group="Foundation",
        order=13,
    ),
    Entry(
        label="Alerts",
        url_name="alerts",
        capability="sources.read",
        group="Foundation",
        order=14,
        count=lambda: api_plans.count_alerts() or None,
    ),
]

urlpatterns = [
    path("tracking/", views.show_list, name="tracking"),
    path("tracking/event/", views.show_one, name="tracked_event"),
    path("tracking/field/", views.edit_field, name="tracking_field"),
    path("tracking/pin/", views.pin, name="tracking_pin"),
    path("tracking/unpin/", views.unpin, name="tracking_unpin"),
    path("tracking/<int:plan_id>/restore/", views.restore, name="tracking_restore"),
    path("alerts/", views.show_alerts, name="alerts"),
    path("alerts/<int:alert_id>/acknowledge/", views.acknowledge, name="alert_acknowledge"),
]

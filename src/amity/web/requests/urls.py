"""Addresses of data requests, and their place in the rail."""

from datetime import UTC, datetime

from django.urls import path

from amity.store import api_requests as requests
from amity.web.requests import doing, views
from amity.web.shell import Entry


def count_pressing() -> int | None:
    """Return how many requests are overdue or due within a week; None when there is none."""
    _, soon, _ = requests.count_due(now=datetime.now(UTC))
    return soon or None


urlpatterns = [
    path("requests/", views.show_list, name="data_requests"),
    path("requests/new/", views.create, name="data_request_new"),
    path("requests/<int:request_id>/", views.show_one, name="data_request"),
    path("requests/<int:request_id>/act/", doing.act, name="data_request_act"),
    path("requests/<int:request_id>/erase/", doing.erase, name="data_request_erase"),
    path("requests/<int:request_id>/copy/", doing.download, name="data_request_copy"),
]
RAIL = [
    Entry(
        label="Data requests",
        url_name="data_requests",
        capability="requests.read",
        group="Foundation",
        order=88,
        count=count_pressing,
    )
]

"""The databases' addresses, and their place in the rail."""

from django.urls import path

from amity.web.pulls import views
from amity.web.shell import Entry

RAIL = [
    Entry(
        label="Databases",
        url_name="pulls",
        capability="pulls.read",
        group="Foundation",
        order=22,
    )
]

urlpatterns = [
    path("databases/", views.show_list, name="pulls"),
    path("databases/new/", views.create, name="pull_new"),
    path("databases/<int:pull_id>/", views.show_one, name="pull"),
    path("databases/<int:pull_id>/plan/", views.plan, name="pull_plan"),
    path("databases/<int:pull_id>/address/", views.reconnect, name="pull_address"),
    path("databases/<int:pull_id>/do/", views.change, name="pull_change"),
]

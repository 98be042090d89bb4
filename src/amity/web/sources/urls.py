"""The sources' addresses, and their place in the rail."""

from django.urls import path

from amity.web.shell import Entry
from amity.web.sources import debugger, health, live, quarantine, views

RAIL = [
    Entry(
        label="Sources",
        url_name="sources",
        capability="sources.read",
        group="Foundation",
        order=10,
        key="s",
    ),
    Entry(
        label="Quarantine",
        url_name="quarantine",
        capability="sources.read",
        group="Foundation",
        order=12,
        key="q",
        count=quarantine.count_waiting,
    ),
]

urlpatterns = [
    path("sources/", views.show_list, name="sources"),
    path("sources/new/", views.create, name="source_new"),
    path("sources/<int:source_id>/", views.show_one, name="source"),
    path("sources/<int:source_id>/counts/", live.show_counts, name="source_counts"),
    path("sources/<int:source_id>/stream/", live.show_stream, name="source_stream"),
    path("sources/<int:source_id>/health/", health.show_health, name="source_health"),
    path("sources/<int:source_id>/watch/", health.watch, name="source_watch"),
    path("sources/<int:source_id>/live/", debugger.show_debugger, name="source_live"),
    path("sources/<int:source_id>/live/turn/", debugger.show_turn, name="source_live_turn"),
    path("sources/<int:source_id>/rename/", views.rename, name="source_rename"),
    path("sources/<int:source_id>/switch/", views.switch, name="source_switch"),
    path("sources/<int:source_id>/rotate/", views.rotate, name="source_rotate"),
    path("sources/<int:source_id>/secret/", views.set_secret, name="source_secret"),
    path("sources/<int:source_id>/test/", views.send_test, name="source_test"),
    path("quarantine/", quarantine.show_list, name="quarantine"),
    path("quarantine/discard/", quarantine.discard, name="quarantine_discard"),
    path("quarantine/replay/", quarantine.replay, name="quarantine_replay"),
]

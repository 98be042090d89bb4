"""The ledger's addresses, and its place in the rail."""

from django.urls import path

from amity.web.messages import sending, views
from amity.web.shell import Entry

RAIL = [
    Entry(
        label="Messages",
        url_name="messages",
        capability="messages.read",
        group="Reach",
        order=40,
        key="l",
    )
]

urlpatterns = [
    path("messages/", views.show_list, name="messages"),
    path("messages/<uuid:send_id>/", views.show_one, name="message"),
    path("messages/<uuid:send_id>/body/", views.show_body, name="message_body"),
    path("messages/<uuid:send_id>/resolve/", views.resolve, name="message_resolve"),
    path("sending/arm/", sending.arm, name="sending_arm"),
    path("sending/stop/", sending.stop, name="sending_stop"),
    path("sending/resume/", sending.resume, name="sending_resume"),
]

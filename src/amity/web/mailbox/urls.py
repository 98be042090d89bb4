"""The mailbox's addresses, and its place in the rail."""

from django.urls import path

from amity.web.mailbox import views
from amity.web.shell import Entry

RAIL = [
    Entry(
        label="Mailbox",
        url_name="mailbox",
        capability="mailbox.read",
        group="Reach",
        order=50,
        key="b",
    )
]

urlpatterns = [
    path("mailbox/", views.show_list, name="mailbox"),
    path("mailbox/<int:mailbox_id>/", views.show_one, name="mailbox_message"),
    path("mailbox/<int:mailbox_id>/body/", views.show_body, name="mailbox_body"),
    path("mailbox/<int:mailbox_id>/message.eml", views.download, name="mailbox_raw"),
]

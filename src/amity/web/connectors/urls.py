"""The connectors' addresses, and their place in the rail."""

from django.urls import path

from amity.web.connectors import catalogue, enrichments, mailboxes
from amity.web.shell import Entry

RAIL = [
    Entry(
        label="Connectors",
        url_name="connectors",
        capability="sources.read",
        group="Foundation",
        order=14,
    )
]

urlpatterns = [
    path("connectors/", catalogue.show_list, name="connectors"),
    path("connectors/mailboxes/", mailboxes.show_list, name="mailboxes"),
    path("connectors/mailboxes/<int:mailbox_id>/", mailboxes.change, name="mailbox_change"),
    path("connectors/enrichments/", enrichments.show_list, name="enrichments"),
    path(
        "connectors/enrichments/<int:enrichment_id>/", enrichments.change, name="enrichment_change"
    ),
    path("connectors/<slug:kind>/<slug:name>/", catalogue.show_one, name="connector"),
]

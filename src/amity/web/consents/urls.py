"""The consents' addresses, and their place in the rail."""

from django.urls import path

from amity.web.consents import notices, purposes, views
from amity.web.shell import Entry

RAIL = [
    Entry(
        label="Consents",
        url_name="consents",
        capability="profiles.read",
        group="Foundation",
        order=40,
    )
]

urlpatterns = [
    path("consents/", views.show_list, name="consents"),
    path("consents/verify/", views.verify, name="consents_verify"),
    path("consents/<int:record_id>/", views.show_one, name="consent"),
    path("customers/<int:profile_id>/receipt/", views.download_receipt, name="consent_receipt"),
    path("notices/", notices.show_notices, name="notices"),
    path("purposes/", purposes.show_list, name="purposes"),
    path("purposes/new/", purposes.create, name="purpose_new"),
    path("purposes/<str:key>/", purposes.edit, name="purpose"),
]

"""Addresses of signing in, people and API keys."""

from django.urls import path

from amity.web.shell import Entry
from amity.web.staff import views

urlpatterns = [
    path("sign-in/", views.sign_in_form, name="sign_in"),
    path("sign-in/link/<str:token>/", views.sign_in_by_link, name="sign_in_by_link"),
    path("sign-in/confirm/", views.confirm, name="confirm"),
    path("sign-out/", views.sign_out, name="sign_out"),
    path("settings/password/", views.set_password, name="set_password"),
    path("settings/people/", views.people, name="people"),
    path("settings/people/<int:staff_id>/", views.change_person, name="change_person"),
    path("settings/people/<int:staff_id>/address/", views.change_address, name="change_address"),
    path("settings/people/<int:staff_id>/link/", views.make_link, name="make_link"),
    path("settings/keys/", views.keys, name="keys"),
    path("settings/keys/<int:key_id>/revoke/", views.revoke_key, name="revoke_key"),
]
RAIL = [
    Entry(
        label="People",
        url_name="people",
        capability="staff.manage",
        group="Foundation",
        order=80,
        key="p",
    ),
    Entry(
        label="API keys",
        url_name="keys",
        capability="keys.manage",
        group="Foundation",
        order=81,
        key="k",
    ),
]

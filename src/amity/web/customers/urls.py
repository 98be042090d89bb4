"""Addresses of customers."""

from django.urls import path

from amity.store import api as store
from amity.web.customers import actions, calling, export, views
from amity.web.shell import Entry

urlpatterns = [
    path("customers/", views.customers, name="customers"),
    path("customers/export.csv", export.export_customers, name="export_customers"),
    path("customers/by-phone/<str:number>/", calling.by_phone, name="customer_by_phone"),
    path("customers/<int:profile_id>/", views.customer, name="customer"),
    path("customers/<int:profile_id>/timeline/", views.timeline, name="customer_timeline"),
    path(
        "customers/<int:profile_id>/merges/<int:merge_id>/undo/",
        actions.undo_merge,
        name="undo_merge",
    ),
    path(
        "customers/<int:profile_id>/lift-suppression/",
        actions.lift,
        name="lift_suppression",
    ),
    path("customers/<int:profile_id>/erase/", actions.erase, name="erase_customer"),
]
RAIL = [
    Entry(
        label="Customers",
        url_name="customers",
        capability="profiles.read",
        order=20,
        key="c",
        count=store.count_profiles,
    )
]

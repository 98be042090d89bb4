"""Addresses of who is who."""

from django.urls import path

from amity.store import api_identity
from amity.web.identity import actions, bulk, learnt, together, views
from amity.web.shell import Entry

RAIL = [
    Entry(
        label="Review",
        url_name="review",
        capability="profiles.read",
        order=25,
        count=api_identity.count_candidates,
    )
]
urlpatterns = [
    path("customers/<int:profile_id>/identity/", views.identity, name="identity"),
    path("customers/<int:profile_id>/identity/merge/", actions.merge, name="identity_merge"),
    path("customers/<int:profile_id>/identity/split/", actions.split, name="identity_split"),
    path(
        "customers/<int:profile_id>/identity/splits/<int:split_id>/undo/",
        actions.undo_split,
        name="identity_undo_split",
    ),
    path(
        "customers/<int:profile_id>/identity/joins/undo/",
        actions.undo_join,
        name="identity_undo_join",
    ),
    path(
        "customers/<int:profile_id>/identity/links/<str:kind>/reject/",
        together.reject,
        name="identity_reject_link",
    ),
    path(
        "customers/<int:profile_id>/identity/links/<str:kind>/restore/",
        together.restore,
        name="identity_restore_link",
    ),
    path("review/", views.review, name="review"),
    path("review/together/", bulk.ahead, name="review_bulk"),
    path("review/together/decide/", bulk.decide, name="review_bulk_decide"),
    path("review/together/undo/", bulk.undo, name="review_bulk_undo"),
    path("review/learnt/", learnt.learnt, name="review_learnt"),
    path("review/learnt/anew/", learnt.learn, name="review_learn"),
    path("review/<int:candidate_id>/", views.pair, name="review_pair"),
    path("review/<int:candidate_id>/decide/", actions.decide, name="review_decide"),
]

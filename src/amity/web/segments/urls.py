"""The segments' addresses, and their place in the rail."""

from django.urls import path

from amity.web.segments import (
    alike,
    apart,
    automatic,
    builder,
    export,
    history,
    listed,
    moving,
    overlapping,
    past,
    tidying,
    views,
    work,
)
from amity.web.shell import Entry

RAIL = [
    Entry(
        label="Segments",
        url_name="segments",
        capability="segments.read",
        order=30,
        key="e",
        count=listed.count_live,
    )
]

urlpatterns = [
    path("segments/", listed.show_list, name="segments"),
    path("segments/new/", builder.create, name="segment_new"),
    path("segments/tree/", builder.redraw, name="segment_tree"),
    path("segments/test/", builder.redraw_test, name="segment_test"),
    path("segments/preview/", builder.preview, name="segment_preview"),
    path("segments/from-written/", builder.from_written, name="segment_from_written"),
    path("segments/suggest/<slug:what>/", builder.suggest, name="segment_suggest"),
    path("segments/review/", tidying.show_review, name="segments_review"),
    path("segments/review/refresh/", tidying.refresh_review, name="segments_review_refresh"),
    path("segments/work/<int:work_id>/", work.show_work, name="segments_work"),
    path("segments/work/<int:work_id>/stop/", work.stop_work, name="segments_work_stop"),
    path("segments/automatic/", automatic.show_automatic, name="segments_automatic"),
    path("segments/automatic/rfm/", automatic.find_cells, name="segments_rfm_find"),
    path("segments/automatic/rfm/save/", automatic.save_cell, name="segments_rfm_save"),
    path("segments/automatic/groups/", automatic.find_groups, name="segments_groups_find"),
    path("segments/automatic/groups/save/", automatic.save_groups, name="segments_groups_save"),
    path("segments/overlap/", overlapping.show_overlap, name="segments_overlap"),
    path(
        "segments/overlap/members/",
        overlapping.show_overlap_members,
        name="segments_overlap_members",
    ),
    path("segments/<int:segment_id>/", views.show_one, name="segment"),
    path("segments/<int:segment_id>/edit/", builder.change, name="segment_edit"),
    path("segments/<int:segment_id>/live/", views.show_live, name="segment_live"),
    path("segments/<int:segment_id>/members/", views.show_members, name="segment_members"),
    path("segments/<int:segment_id>/members.csv", export.export_members, name="segment_export"),
    path("segments/<int:segment_id>/apart/", apart.show_apart, name="segment_apart"),
    path("segments/<int:segment_id>/apart/find/", apart.find_apart, name="segment_apart_find"),
    path("segments/<int:segment_id>/alike/", alike.show_alike, name="segment_alike"),
    path("segments/<int:segment_id>/alike/find/", alike.find_alike, name="segment_alike_find"),
    path("segments/<int:segment_id>/alike/save/", alike.save_alike, name="segment_alike_save"),
    path("segments/<int:segment_id>/moves/", moving.show_movement, name="segment_movement"),
    path("segments/<int:segment_id>/past/", past.show_past, name="segment_past"),
    path(
        "segments/<int:segment_id>/past/<int:profile_id>/",
        past.show_why,
        name="segment_why",
    ),
    path("segments/<int:segment_id>/versions/", history.show_versions, name="segment_versions"),
    path(
        "segments/<int:segment_id>/versions/<int:number>/restore/",
        history.restore_version,
        name="segment_version_restore",
    ),
    path("segments/<int:segment_id>/archive/", views.archive, name="segment_archive"),
    path("segments/<int:segment_id>/restore/", views.restore, name="segment_restore"),
]

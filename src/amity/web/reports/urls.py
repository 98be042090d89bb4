"""The reports' addresses, and their place in the rail."""

from django.urls import path

from amity.web.reports import customers, facts, files, metrics, schedules, views, work
from amity.web.shell import Entry

RAIL = [
    Entry(
        label="Reports",
        url_name="reports",
        capability="reports.read",
        group="Understand",
        order=10,
        key="u",
    )
]

urlpatterns = [
    path("reports/", views.show_list, name="reports"),
    path("reports/work/<int:work_id>/", work.show_work, name="reports_work"),
    path("reports/work/<int:work_id>/stop/", work.stop_work, name="reports_work_stop"),
    path("reports/costs/", facts.show, name="report_facts"),
    path("reports/costs/enter/", facts.enter, name="report_fact_enter"),
    path("reports/costs/<int:fact_id>/delete/", facts.delete, name="report_fact_delete"),
    path("reports/views/<int:view_id>/delete/", views.delete_view, name="report_view_delete"),
    path("reports/schedules/", schedules.show_list, name="report_schedules"),
    path("reports/schedules/form/", schedules.show_form, name="report_schedule_form"),
    path("reports/schedules/save/", schedules.save, name="report_schedule_save"),
    path(
        "reports/schedules/<int:schedule_id>/preview/",
        schedules.preview,
        name="report_schedule_preview",
    ),
    path(
        "reports/schedules/<int:schedule_id>/now/", schedules.send_now, name="report_schedule_now"
    ),
    path(
        "reports/schedules/<int:schedule_id>/pause/", schedules.pause, name="report_schedule_pause"
    ),
    path(
        "reports/schedules/<int:schedule_id>/delete/",
        schedules.delete,
        name="report_schedule_delete",
    ),
    path(
        "reports/schedules/<int:schedule_id>/choose/",
        schedules.choose,
        name="report_schedule_choose",
    ),
    path("reports/metrics/", metrics.show_list, name="metrics"),
    path("reports/metrics/<slug:name>/", metrics.show_one, name="metric"),
    path("reports/metrics/<slug:name>/save/", metrics.save, name="metric_save"),
    path("reports/<slug:name>/", views.show_one, name="report"),
    path("reports/<slug:name>/refresh/", views.refresh, name="report_refresh"),
    path("reports/<slug:name>/save/", views.save, name="report_save"),
    path("reports/<slug:name>/customers/", customers.show, name="report_customers"),
    path("reports/<slug:name>/customers/find/", customers.find, name="report_customers_find"),
    path("reports/<slug:name>/customers.csv", customers.export, name="report_customers_csv"),
    path("reports/<slug:name>/customers/segment/", customers.save_segment, name="report_segment"),
    path(
        "reports/<slug:name>/tables/<slug:table>/<slug:kind>/",
        files.export_table,
        name="report_table",
    ),
]

"""The list of exports, one export with its runs, and what staff may do about it."""

from typing import Final

import msgspec
from django.contrib import messages
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from amity.analysis import api as analysis
from amity.kernel.errors import AmityError, NotFound
from amity.store import api_outbound
from amity.store.contracts_outbound import Export, ExportPlan
from amity.web.access import requires, staff_of
from amity.web.errors import sentence
from amity.web.purposes import RECORDS, list_purposes, remember, what_for

_BLANK: Final = ExportPlan(
    name="",
    segment_id=0,
    destination="csv",
    columns=["user_id", "name", "email", "phone", "entered_at"],
    purpose="sharing",
)
_HELD: Final = set(ExportPlan.__struct_fields__) & set(Export.__struct_fields__)


@require_GET
@requires("exports.run")
def show_list(request: HttpRequest) -> HttpResponse:
    """Show all exports and how the last run of each went."""
    latest = {run.export_id: run for run in reversed(api_outbound.list_export_runs(limit=200))}
    context = {
        "lines": [(each, latest.get(each.export_id)) for each in api_outbound.list_exports()],
        "segments": _segment_names(),
        "titles": {kind.name: kind.title for kind in api_outbound.list_destinations()},
    }
    return render(request, "exports/list.html", context)


@require_http_methods(["GET", "POST"])
@requires("exports.run", step_up=True)
def create(request: HttpRequest) -> HttpResponse:
    """Make an export and run it; what was typed stays when it cannot be."""
    if request.method == "GET":
        last = what_for(request)["purpose"]
        purpose = _BLANK.purpose if last == RECORDS else last
        return _show_form(request, msgspec.structs.replace(_BLANK, purpose=purpose))
    plan = _plan(request)
    by = staff_of(request).get_username()
    try:
        analysis.get_segment(segment_id=plan.segment_id)
        made = api_outbound.create_export(plan=plan, by=by)
        if made.every_hours is None:
            api_outbound.ask_export(export_id=made.export_id, by=by)
    except AmityError as refusal:
        return _show_form(request, plan, error=sentence(refusal))
    messages.success(request, f"{made.name} is on its way.")
    return remember(redirect("export", made.export_id), plan.purpose)


@require_http_methods(["GET", "POST"])
@requires("exports.run", step_up=True)
def change(request: HttpRequest, export_id: int) -> HttpResponse:
    """Change what an export brings, where to and how often; an address left empty stays."""
    export = api_outbound.get_export(export_id=export_id)
    if request.method == "GET":
        held = {name: getattr(export, name) for name in _HELD}
        return _show_form(request, ExportPlan(**held), export=export)
    plan = _plan(request)
    try:
        analysis.get_segment(segment_id=plan.segment_id)
        api_outbound.update_export(export_id=export_id, plan=plan)
    except AmityError as refusal:
        return _show_form(request, plan, export=export, error=sentence(refusal))
    messages.success(request, f"{plan.name} is changed.")
    return redirect("export", export_id)


@require_POST
@requires("exports.run")
def send_trial(request: HttpRequest, export_id: int) -> HttpResponse:
    """See that what an export writes to can be reached."""
    try:
        api_outbound.try_export(export_id=export_id)
    except AmityError as refusal:
        messages.error(request, sentence(refusal))
    else:
        messages.success(request, "It can be reached, and lets us in. Nothing was written.")
    return redirect("export", export_id)


@require_GET
@requires("exports.run")
def show_one(request: HttpRequest, export_id: int) -> HttpResponse:
    """Show one export and its runs; asked again and again while one is under way."""
    export = api_outbound.get_export(export_id=export_id)
    runs = api_outbound.list_export_runs(export_id=export_id)
    context = {
        "export": export,
        "segment": _segment_names().get(export.segment_id, "a segment that is gone"),
        "runs": [
            (run, api_outbound.find_export_file(run_id=run.run_id) is not None) for run in runs
        ],
        "is_busy": any(run.state in ("waiting", "running") for run in runs),
        "titles": {kind.name: kind.title for kind in api_outbound.list_destinations()},
    }
    piece = bool(getattr(request, "htmx", False))
    return render(request, "exports/_runs.html" if piece else "exports/one.html", context)


@require_POST
@requires("exports.run", step_up=True)
def run(request: HttpRequest, export_id: int) -> HttpResponse:
    """Have an export run now."""
    api_outbound.ask_export(export_id=export_id, by=staff_of(request).get_username())
    messages.success(request, "It runs now.")
    return redirect("export", export_id)


@require_POST
@requires("exports.run")
def switch(request: HttpRequest, export_id: int) -> HttpResponse:
    """Let a schedule go on, or stop it."""
    is_on = request.POST.get("is_enabled") == "yes"
    api_outbound.switch_export(export_id=export_id, is_enabled=is_on)
    messages.success(request, "The schedule goes on." if is_on else "The schedule has stopped.")
    return redirect("export", export_id)


@require_POST
@requires("exports.run", step_up=True)
def delete(request: HttpRequest, export_id: int) -> HttpResponse:
    """Delete an export and the record of its runs."""
    api_outbound.delete_export(export_id=export_id)
    messages.success(request, "The export is deleted.")
    return redirect("exports")


@require_GET
@requires("exports.run", step_up=True)
def download(request: HttpRequest, run_id: int) -> HttpResponseBase:
    """Hand out the file a run wrote, while it is kept."""
    path = api_outbound.find_export_file(run_id=run_id)
    if path is None:
        raise NotFound("this file is not kept any more; run the export again")
    answer = FileResponse(path.open("rb"), as_attachment=True, filename=path.name)
    answer["Cache-Control"] = "no-store"
    return answer


def _plan(request: HttpRequest) -> ExportPlan:
    given = request.POST
    settings = {name: given.get(name, "") for name in ("table", "mode") if given.get(name)}
    hours, segment = given.get("every_hours", ""), given.get("segment", "")
    is_database = given.get("destination") == "database"
    return ExportPlan(
        name=given.get("name", ""),
        segment_id=int(segment) if segment.isdecimal() and len(segment) < 19 else 0,
        destination=given.get("destination", ""),
        settings=settings if is_database else {},
        secret=given.get("address", "").strip() if is_database else "",
        columns=given.get("columns", "").split(),
        purpose=given.get("purpose", ""),
        every_hours=int(hours) if hours.isdecimal() and len(hours) < 6 else None,
    )


def _show_form(
    request: HttpRequest, plan: ExportPlan, *, export: Export | None = None, error: str = ""
) -> HttpResponse:
    context = {
        "export": export,
        "plan": plan,
        "columns": "\n".join(plan.columns),
        "error": error,
        "segments": analysis.list_segments(),
        "kinds": api_outbound.list_destinations(),
        "purposes": list_purposes(),
        "is_usual": plan.every_hours in (None, 1, 24, 168),
    }
    return render(request, "exports/form.html", context, status=422 if error else 200)


def _segment_names() -> dict[int, str]:
    return {each.segment_id: each.name for each in analysis.list_segments(is_archived=None)}

"""The builder's addresses: the page, its pieces as they change, and saving."""

from datetime import UTC, datetime
from typing import Any, Final

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from amity.analysis import api as analysis
from amity.analysis.contracts import Segment
from amity.kernel.errors import AmityError, Invalid
from amity.store import api as store
from amity.web.access import requires, staff_of
from amity.web.segments.building import (
    Built,
    build,
    describe_change,
    describe_now,
    read_posted,
    read_written,
    sentence_of,
    slots,
    suggestions,
)
from amity.web.segments.convert import read_rule
from amity.web.segments.draft import (
    EMPTY,
    Check,
    Coded,
    Group,
    Member,
    Node,
    Test,
    edit,
    focus_after,
    replace_at,
    walk,
)
from amity.web.segments.form import read_draft
from amity.web.segments.meanwhile import describe_meanwhile, is_stale, read_seen
from amity.web.segments.shown import show_uses
from amity.web.segments.starts import STARTS, find_start
from amity.web.segments.tree import TestView, fitting_test, view_part, view_test

_SUGGESTED: Final = 20
_COMBINED: Final = 10
_GUESSES: Final = {bool: "boolean", int: "number", float: "number"}


def _segment(request: HttpRequest) -> Segment | None:
    text = request.POST.get("segment", "")
    return analysis.get_segment(segment_id=int(text)) if text.isdecimal() else None


def _change(
    request: HttpRequest, built: Built, segment: Segment | None, now: datetime
) -> dict[str, Any]:
    """Return what saving would do, with links only to what whoever asks may open."""
    found = describe_change(built, segment, now) | {"is_stale": is_stale(request, segment)}
    return found | {"uses": show_uses(request, found.get("uses", []))}


def _page(request: HttpRequest, built: Built, **more: Any) -> HttpResponse:
    segment: Segment | None = more.pop("segment", None)
    status = more.pop("status", 200)
    seen_at = more.pop("seen_at", None) or read_seen(request)
    name = more.pop("name", request.POST.get("name", ""))
    context = {
        "segment": segment,
        "seen_at": (seen_at or segment.updated_at).isoformat() if segment else "",
        "name": name,
        "description": request.POST.get("description", ""),
        "tree": built.tree,
        "written": built.written,
        "written_before": built.written,
        "starts": STARTS,
        "action": reverse("segment_edit", args=[segment.segment_id])
        if segment
        else reverse("segment_new"),
    }
    context |= suggestions(but=segment.segment_id if segment else None)
    now = datetime.now(UTC)
    context |= describe_now(built, now) | _change(request, built, segment, now) | more
    return render(request, "segments/build.html", context, status=status)


@require_http_methods(["GET", "POST"])
@requires("segments.write")
def create(request: HttpRequest) -> HttpResponse:
    """Make a segment; the draft stays as it was typed while something is wrong."""
    if request.method == "POST":
        return _save(request, None)
    start = find_start(request.GET.get("start", ""))
    draft, name, description = EMPTY, "", ""
    if start:
        draft, name, description = read_rule(start.rule), start.name, start.description
    elif request.GET.get("from"):
        draft, name, description = _copy_of(request.GET["from"])
    elif request.GET.get("in"):
        draft = _combination_of(request)
    return _page(
        request,
        build(draft),
        name=name,
        description=description,
        chosen_start=start.key if start else "",
    )


def _combination_of(request: HttpRequest) -> Group:
    """Return the draft of those in all segments the address names under `in`, in none of `out`."""
    wanted = {name: request.GET.getlist(name)[:_COMBINED] for name in ("in", "out")}
    return Group(
        of=tuple(
            Member(segment_id=text, is_negated=name == "out")
            for name, texts in wanted.items()
            for text in texts
            if text.isdecimal()
        )
    )


def _copy_of(text: str) -> tuple[Group, str, str]:
    if not text.isdecimal():
        raise Http404
    origin = analysis.get_segment(segment_id=int(text))
    return read_rule(origin.rule), f"{origin.name[:93]} (copy)", origin.description


@require_http_methods(["GET", "POST"])
@requires("segments.write")
def change(request: HttpRequest, segment_id: int) -> HttpResponse:
    """Change a segment's rule, name or description."""
    segment = analysis.get_segment(segment_id=segment_id)
    if request.method == "POST":
        return _save(request, segment)
    return _page(
        request,
        build(read_rule(segment.rule)),
        segment=segment,
        name=segment.name,
        description=segment.description,
    )


def _save(request: HttpRequest, segment: Segment | None) -> HttpResponse:
    built, written, written_error = read_posted(request.POST.dict())
    name = request.POST.get("name", "").strip()
    wrong: dict[str, Any] = {"segment": segment, "status": 422, "written": written}
    if written_error:
        return _page(request, built, written_error=written_error, **wrong)
    if not name:
        return _page(request, built, name_error="Give it a name people will know.", **wrong)
    if not built.is_complete:
        error = "Not saved yet: see what is asked for beside the conditions."
        return _page(request, built, error=error, **wrong)
    try:
        saved = _write(request, built, name, segment)
    except AmityError as refusal:
        return _refused(request, built, refusal, wrong)
    words = "saved" if segment else "made"
    messages.success(request, f"{saved.name} is {words}.")
    return redirect("segment", saved.segment_id)


def _refused(
    request: HttpRequest, built: Built, refusal: AmityError, wrong: dict[str, Any]
) -> HttpResponse:
    """Draw the form as it was typed, with why it is not saved."""
    segment: Segment | None = wrong["segment"]
    if segment is not None and refusal.reason == "segment_changed":
        told = describe_meanwhile(request, built, segment.segment_id)
        return _page(request, built, **wrong | told | {"status": 409})
    message = f"{refusal.message[:1].upper()}{refusal.message[1:]}."
    which = "name_error" if refusal.reason == "segment_exists" else "error"
    return _page(request, built, **{which: message}, **wrong)


def _write(request: HttpRequest, built: Built, name: str, segment: Segment | None) -> Segment:
    description = request.POST.get("description", "").strip()
    now = datetime.now(UTC)
    if segment is None:
        return analysis.create_segment(
            name=name,
            rule=built.rule,
            description=description,
            by=staff_of(request).get_username(),
            now=now,
        )
    return analysis.update_segment(
        segment_id=segment.segment_id,
        name=name,
        rule=built.rule,
        description=description,
        seen_at=read_seen(request),
        by=staff_of(request).get_username(),
        now=now,
    )


@require_POST
@requires("segments.write")
def redraw(request: HttpRequest) -> HttpResponse:
    """Change the tree as a button asks and draw it again; without scripts, the whole page."""
    action = request.POST.get("do", "")
    if action == "written":
        built, written, written_error = read_posted(request.POST.dict())
        shown = {"written": written, "written_error": written_error}
        return _page(request, built, segment=_segment(request), **shown)
    before = read_draft(request.POST.dict())
    draft = _fit(before, action.removeprefix("fit:")) if action.startswith("fit:") else None
    built = build(edit(before, action) if draft is None else draft)
    if not getattr(request, "htmx", False):
        return _page(request, built, segment=_segment(request))
    segment = _segment(request)
    context = suggestions(but=segment.segment_id if segment else None)
    context |= {"tree": built.tree, "focus": focus_after(built.draft, action)}
    response = render(request, "segments/_tree.html", context)
    response["HX-Trigger-After-Settle"] = "rule-changed"
    return response


def _fit(draft: Group, path: str) -> Group:
    """Give the check at ``path`` an operator that goes with its field."""

    def fit(node: Node) -> Node:
        if not isinstance(node, Check):
            return node
        return Check(field=node.field, name=node.name, test=fitting_test(node.test, node.field))

    return replace_at(draft, path, fit)


@require_POST
@requires("segments.write")
def preview(request: HttpRequest) -> HttpResponse:
    """Say what the rule finds now, put messages beside conditions, and rewrite the JSON."""
    built = build(read_draft(request.POST.dict()))
    now = datetime.now(UTC)
    context = describe_now(built, now) | _change(request, built, _segment(request), now)
    context |= {
        "slots": slots(built),
        "with_written": True,
        "written": built.written,
        "written_before": built.written,
    }
    return render(request, "segments/_previewed.html", context)


@require_POST
@requires("segments.write")
def from_written(request: HttpRequest) -> HttpResponse:
    """Draw the form again from the JSON; when that is wrong, say where and change nothing."""
    text = request.POST.get("written", "")
    try:
        built = build(read_written(text))
    except Invalid as refusal:
        context = {"written_error": sentence_of(refusal)}
        response = render(request, "segments/_written_error.html", context)
        response["HX-Retarget"] = "#written-error"
        response["HX-Reswap"] = "innerHTML"
        return response
    segment = _segment(request)
    context = suggestions(but=segment.segment_id if segment else None)
    now = datetime.now(UTC)
    context |= describe_now(built, now) | _change(request, built, segment, now)
    more: dict[str, Any] = {"tree": built.tree, "written": text, "written_before": text}
    return render(request, "segments/_from_written.html", context | more)


@require_POST
@requires("segments.write")
def redraw_test(request: HttpRequest) -> HttpResponse:
    """Draw one test again, after its operator, its type or its trait has changed."""
    path = request.POST.get("path", "")
    draft = read_draft(request.POST.dict())
    shown = _view_part(draft, path)
    found = None if shown else _find_test(draft, path)
    if found is not None:
        test, field, trait = found
        is_guess = bool(trait and request.POST.get("guess"))
        shown = view_test(_guess(test, trait) if is_guess else test, path, field=field)
    if shown is None:
        raise Http404
    response = render(request, "segments/_test.html", {"test": shown})
    response["HX-Trigger-After-Settle"] = "rule-changed"
    return response


def _view_part(draft: Group, path: str) -> TestView | None:
    """Return a test of a condition known by its shape as it is shown, if it is of one."""
    holder, _, at = path.partition(".f.")
    node = dict(walk(draft)).get(holder) if at else None
    return view_part(node, holder, at) if isinstance(node, Coded) else None


def _find_test(draft: Group, path: str) -> tuple[Test, str, str] | None:
    """Return the test at ``path``, the field it is of, and the trait, if it is of one."""
    holder, _, index = path.partition(".where.")
    for place, node in walk(draft):
        if place != holder:
            continue
        if isinstance(node, Check):
            return node.test, node.field, node.name if node.field == "trait" else ""
        wheres = getattr(node, "where", ())
        if index.isdecimal() and int(index) < len(wheres):
            return wheres[int(index)].test, "trait", ""
    return None


def _guess(test: Test, trait: str) -> Test:
    """Read values as the type that most customers have in this trait."""
    if any(value.strip() for value in test.values.values()):
        return test
    known = store.trait_values(trait=trait, limit=1)
    as_type = _GUESSES.get(type(known[0][0]), "text") if known else "text"
    return Test(op=test.op, values=test.values, as_type=as_type)  # type: ignore[arg-type]


@require_GET
@requires("segments.write")
def suggest(request: HttpRequest, what: str) -> HttpResponse:
    """Return options for a field: a trait's values, or an event's properties."""
    path = request.GET.get("path", "")
    if what == "values":
        trait = request.GET.get(f"{path}.name", "").strip()
        known = store.trait_values(trait=trait, limit=_SUGGESTED) if trait else []
        options = [(value, f"{count:,} customers") for value, count in known]
        return render(request, "segments/_options.html", {"options": _texts(options)})
    event = request.GET.get(f"{path}.event", "").strip()
    names = store.list_properties(event_name=event) if event else []
    return render(request, "segments/_options.html", {"options": [(n, "") for n in names]})


def _texts(options: list[tuple[Any, str]]) -> list[tuple[str, str]]:
    return [
        (str(value).lower() if isinstance(value, bool) else str(value), label)
        for value, label in options
        if isinstance(value, str | int | float)
    ]

"""Journeys: the list, one drawn with live counts, its start, its states, its definition."""

from datetime import UTC, datetime
from typing import Any, Final, cast

import msgspec
from django.contrib import messages as notes
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from amity.broadcast import api as broadcast
from amity.broadcast import api_journeys
from amity.broadcast.contracts import Enrolment, Journey, JourneyReport, JourneyState
from amity.kernel.errors import AmityError, Conflict, Invalid
from amity.web.access import may, requires, staff_of
from amity.web.campaigns.form import chosen
from amity.web.journeys.drawing import draw
from amity.web.messages.people import name_people
from amity.web.messages.sending import sentence, show
from amity.web.sources.views import Chip

_PAGE: Final = 25
_LOOKS: Final[dict[JourneyState, str]] = {
    "draft": "",
    "live": "good",
    "paused": "warn",
    "archived": "",
}
_ORDER: Final = ("entry", "exit", "reentry_days", "start", "nodes")
_MOVED: Final[dict[str, str]] = {
    "live": "{} is live: whoever does what it waits for enters it from now on.",
    "paused": "{} is paused: nobody enters and nobody moves until it is live again.",
    "archived": "{} is archived: everybody under way has left it.",
}
ENDINGS: Final = {
    "finished": "came to the end",
    "exit": "left by the way out",
    "merged": "turned out to be somebody already in it",
    "gone": "was erased",
    "archived": "left when it was archived",
    "failed": "a step failed",
}


class JourneyLine(msgspec.Struct, frozen=True, kw_only=True):
    """One journey as the list shows it."""

    journey: Journey
    report: JourneyReport
    ended: int
    look: str


class EnrolmentLine(msgspec.Struct, frozen=True, kw_only=True):
    """One person's way, with a name."""

    enrolment: Enrolment
    name: str
    ending: str


@require_GET
@requires("journeys.read")
def show_list(request: HttpRequest) -> HttpResponse:
    """List the journeys with how many are in each now."""
    found = api_journeys.list_journeys(is_archived=None)
    search, state = request.GET.get("q", "").strip(), request.GET.get("state", "")
    shown = [
        journey
        for journey in found
        if search.casefold() in f"{journey.name}\n{journey.words}".casefold()
        and _is_state(journey, state)
    ]
    return show(
        request,
        "journeys/list.html",
        {
            "lines": [_line(journey) for journey in shown],
            "total": len(found),
            "search": search,
            "state": state,
            "chips": _chips(found, state),
            "can_write": may(request, "journeys.write"),
        },
    )


def _line(journey: Journey) -> JourneyLine:
    report = api_journeys.report_journey(journey_id=journey.journey_id)
    # However it ended: most who leave a journey that did its work leave by the way out.
    ended = report.entered - report.active
    return JourneyLine(journey=journey, report=report, ended=ended, look=_LOOKS[journey.state])


def _is_state(journey: Journey, state: str) -> bool:
    return journey.state == state if state else journey.state != "archived"


def _chips(found: list[Journey], chosen_state: str) -> list[Chip]:
    labels = {"": "All", "live": "Live", "paused": "Paused", "draft": "Draft"}
    labels["archived"] = "Archived"
    chips = [
        Chip(
            label=label,
            value=value,
            count=sum(_is_state(journey, value) for journey in found),
            is_on=value == chosen_state,
        )
        for value, label in labels.items()
    ]
    return [chip for chip in chips if chip.count or chip.is_on]


@require_http_methods(["GET", "POST"])
@requires("journeys.write")
def create(request: HttpRequest) -> HttpResponse:
    """Make the ready-made journey for abandoned carts, with a template of the reader's choice."""
    name = request.POST.get("name", "Abandoned cart").strip()
    template_id = request.POST.get("template_id", request.GET.get("template_id", ""))
    error = ""
    if request.method == "POST":
        try:
            definition = api_journeys.abandoned_cart(
                template_id=chosen(template_id, "choose a template: what the message says")
            )
            made = api_journeys.create_journey(
                name=name,
                description="Reminds customers of what they left in the cart.",
                definition=definition,
                by=staff_of(request).get_username(),
                now=datetime.now(UTC),
            )
        except (Invalid, Conflict) as refusal:
            error = sentence(refusal)
        else:
            notes.success(request, f"{made.name} is a draft. Look at it, then let it go live.")
            return redirect("journey", made.journey_id)
    context = {
        "name": name,
        "template_id": template_id,
        "templates": broadcast.list_templates(),
        "error": error,
    }
    return show(request, "journeys/new.html", context, status=422 if error else 200)


@require_GET
@requires("journeys.read")
def show_one(request: HttpRequest, journey_id: int) -> HttpResponse:
    """Show one journey: drawn, with who is where."""
    report = api_journeys.report_journey(journey_id=journey_id)
    nodes = {node.node: node.words for node in report.nodes}
    asked = request.GET.get("node", "")
    page = api_journeys.list_enrolments(
        journey_id=journey_id,
        node=asked if asked in nodes else None,
        cursor=request.GET.get("after") or None,
        limit=_PAGE,
    )
    told = _flow(report) | {
        "enrolments": name_enrolments(page.items),
        "next_cursor": page.next_cursor,
        "node": asked if asked in nodes else "",
        "node_words": nodes,
        "kinds": api_journeys.list_node_kinds(),
        "definition": pretty(report.journey.definition),
        "can_write": may(request, "journeys.write"),
    }
    if request.htmx and request.htmx.target == "rows-more":  # type: ignore[attr-defined]  # django_htmx
        return render(request, "journeys/_rows.html", told)
    return show(request, "journeys/one.html", told)


def _flow(report: JourneyReport) -> dict[str, Any]:
    return {
        "report": report,
        "journey": report.journey,
        "look": _LOOKS[report.journey.state],
        "drawing": draw(report.journey, report.nodes),
        "entry_words": _entry_words(report.journey.definition),
        "exit_event": _exit_event(report.journey.definition),
        "endings": [(ENDINGS.get(key, key), count) for key, count in report.endings.items()],
    }


def _entry_words(definition: dict[str, Any]) -> str:
    entry = definition.get("entry")
    return str(entry.get("event", "")) if isinstance(entry, dict) else ""


def _exit_event(definition: dict[str, Any]) -> str:
    way_out = definition.get("exit")
    return str(way_out.get("event", "")) if isinstance(way_out, dict) else ""


def pretty(definition: dict[str, Any]) -> str:
    """Write a definition as people read JSON: from the beginning, a step's kind first."""
    nodes = definition.get("nodes")
    ordered = _sorted(definition, _ORDER)
    if isinstance(nodes, dict):
        ordered["nodes"] = {
            name: _sorted(node, ("kind",)) if isinstance(node, dict) else node
            for name, node in nodes.items()
        }
    return msgspec.json.format(msgspec.json.encode(ordered), indent=2).decode()


def _sorted(held: dict[str, Any], first: tuple[str, ...]) -> dict[str, Any]:
    known = {name: held[name] for name in first if name in held}
    return known | held


def name_enrolments(found: list[Enrolment]) -> list[EnrolmentLine]:
    """Put names and words to enrolments, in their order."""
    names = name_people(enrolment.profile_id for enrolment in found)
    return [
        EnrolmentLine(
            enrolment=enrolment,
            name=names[enrolment.profile_id],
            ending=ENDINGS.get(enrolment.ending, enrolment.ending),
        )
        for enrolment in found
    ]


@require_GET
@requires("journeys.read")
def show_flow(request: HttpRequest, journey_id: int) -> HttpResponse:
    """Answer the drawing with its counts as of now."""
    report = api_journeys.report_journey(journey_id=journey_id)
    return render(request, "journeys/_flow.html", _flow(report))


@require_http_methods(["GET", "POST"])
@requires("journeys.write")
def change(request: HttpRequest, journey_id: int) -> HttpResponse:
    """Change a journey's name and definition, as JSON; whoever is under way stays on theirs."""
    journey = api_journeys.get_journey(journey_id=journey_id)
    typed = {
        "name": request.POST.get("name", journey.name),
        "description": request.POST.get("description", journey.description),
        "definition": request.POST.get("definition", pretty(journey.definition)),
    }
    error = ""
    if request.method == "POST":
        try:
            made = api_journeys.update_journey(
                journey_id=journey_id,
                name=typed["name"].strip(),
                description=typed["description"].strip(),
                definition=_read_definition(typed["definition"]),
                by=staff_of(request).get_username(),
                now=datetime.now(UTC),
            )
        except (Invalid, Conflict) as refusal:
            error = sentence(refusal)
        else:
            notes.success(request, f"{made.name} is saved as version {made.version}.")
            return redirect("journey", journey_id)
    context = {
        "journey": journey,
        "words": journey.words,
        "problems": [] if error else journey.problems,
        "typed": typed,
        "error": error,
        "kinds": api_journeys.list_node_kinds(),
        "templates": broadcast.list_templates(),
    }
    return show(request, "journeys/edit.html", context, status=422 if error else 200)


@require_POST
@requires("journeys.write")
def check(request: HttpRequest) -> HttpResponse:
    """Answer what a definition being typed says in words, and what keeps it from going live."""
    try:
        definition = _read_definition(request.POST.get("definition", ""))
        words, problems = api_journeys.check_journey(definition=definition)
    except Invalid as refusal:
        words, problems = "", [refusal.message]
    return render(request, "journeys/_checked.html", {"words": words, "problems": problems})


def _read_definition(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text.encode(), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError) as error:
        raise Invalid(f"this is not JSON: {error}") from error


@require_POST
@requires("journeys.write")
def set_state(request: HttpRequest, journey_id: int) -> HttpResponse:
    """Let a journey go live, pause it, or end it for good."""
    state = request.POST.get("state", "")
    if state not in _MOVED:
        notes.error(request, "A journey is live, paused or archived.")
        return redirect("journey", journey_id)
    by = staff_of(request).get_username()
    try:
        journey = api_journeys.set_journey_state(
            journey_id=journey_id, state=cast("JourneyState", state), by=by, now=datetime.now(UTC)
        )
    except AmityError as refusal:
        notes.error(request, sentence(refusal))
    else:
        notes.success(request, _MOVED[state].format(journey.name))
    return redirect("journey", journey_id)

"""The broadcast engine's door for journeys: drawing them, letting people through, who is where."""

from datetime import datetime
from typing import Any

from amity.broadcast.contracts import (
    Enrolment,
    Journey,
    JourneyReport,
    JourneyState,
    NodeWords,
)
from amity.broadcast.logic import naming
from amity.broadcast.logic.journeys import drawing, enrolling, report
from amity.kernel.pagination import Page
from amity.store.contracts import FoldResult

naming.tell_names()


def create_journey(
    *, name: str, description: str = "", definition: dict[str, Any], by: str, now: datetime
) -> Journey:
    """Add a journey as a draft, whatever is still wrong with its drawing: see its `problems`.

    Raises Invalid when the definition is no JSON object, Conflict when the name is taken, in
    whatever case of letters.
    """
    return drawing.create_journey(
        name=name, description=description, definition=definition, by=by, now=now
    )


def update_journey(  # one argument a thing that can be changed
    *,
    journey_id: int,
    name: str | None = None,
    description: str | None = None,
    definition: dict[str, Any] | None = None,
    by: str,
    now: datetime,
) -> Journey:
    """Change what is given; a changed definition makes a new version.

    Whoever is under way stays on the version they began with. Raises NotFound, Conflict (the name
    is taken, the journey is archived) and, unless it is a draft, Invalid with all problems.
    """
    return drawing.update_journey(
        journey_id=journey_id,
        name=name,
        description=description,
        definition=definition,
        by=by,
        now=now,
    )


def set_journey_state(*, journey_id: int, state: JourneyState, by: str, now: datetime) -> Journey:
    """Put a journey live, pause it, or archive it for good.

    While it is paused nobody begins and timers wait; an exit still ends somebody's way. Archiving
    ends everybody's way and cancels what is queued. Raises NotFound, Conflict when the state
    cannot be reached, Invalid with all problems when it cannot go live.
    """
    return drawing.set_journey_state(journey_id=journey_id, state=state, by=by, now=now)


def get_journey(*, journey_id: int) -> Journey:
    """Return a journey, archived or not; raise NotFound when there is none."""
    return drawing.get_journey(journey_id=journey_id)


def find_journey(*, name: str) -> Journey | None:
    """Return the journey of that name, in any case of letters, that is not archived."""
    return drawing.find_journey(name=name)


def list_journeys(*, is_archived: bool | None = False) -> list[Journey]:
    """Return the journeys by name; with True those archived, with None all."""
    return drawing.list_journeys(is_archived=is_archived)


def check_journey(*, definition: dict[str, Any]) -> tuple[str, list[str]]:
    """Return a definition in words, and all that keeps it from going live; nothing is kept."""
    return drawing.check_definition(definition=definition)


def report_journey(*, journey_id: int) -> JourneyReport:
    """Return how many are at each node now, came to it, and left by which edge.

    Who left a node by no edge, but by an ending (`exit`, `merged`, `archived`, `gone`, `failed`),
    is counted under its name. Versions are added up. Raises NotFound.
    """
    return report.report_journey(journey_id=journey_id)


def list_enrolments(
    *,
    journey_id: int | None = None,
    profile_ids: list[int] | None = None,
    node: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Enrolment]:
    """Return people's ways through journeys, the latest to begin first; with a node who is there.

    Ask with all profile ids a person ever had (`store.api.list_joined`).
    """
    return drawing.list_enrolments(
        journey_id=journey_id, profile_ids=profile_ids, node=node, cursor=cursor, limit=limit
    )


def list_node_kinds() -> list[NodeWords]:
    """Return the kinds of nodes a journey can be drawn with, by name."""
    return drawing.list_node_kinds()


def abandoned_cart(*, template_id: int) -> dict[str, Any]:
    """Return a ready definition: a product in the cart, an hour, no order: a reminder."""
    return drawing.abandoned_cart(template_id=template_id)


def step_batch(*, now: datetime, limit: int = 2000) -> FoldResult:
    """Take one turn of the journeys consumer: entries, exits, and steps that have come due.

    `events` is how much was done; zero means there was nothing to do, or another process has
    the turn.
    """
    return enrolling.step_batch(now=now, limit=limit)

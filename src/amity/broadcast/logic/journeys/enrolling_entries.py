"""Who does not begin a journey: whoever has done already what ends it."""

from typing import Final

from amity.broadcast.logic.journeys.enrolling_people import Begin
from amity.infra import queries
from amity.infra.database import Connection

_SQL: Final = queries.load("amity.broadcast")


def leave_out_done(connection: Connection, begins: list[Begin]) -> list[Begin]:
    """Leave out whose exit was heard of before what begins the journey, but happened after it."""
    asked = [begin for begin in begins if begin.drawing.definition.exit is not None]
    if not asked:
        return begins
    exits = [begin.drawing.definition.exit for begin in asked]
    rows = connection.execute(
        _SQL["journeys_done_already"],
        {
            "place": list(range(len(asked))),
            "profile_id": [begin.activity.profile_id for begin in asked],
            "name": [leave.event if leave else "" for leave in exits],
            "since": [begin.activity.occurred_at for begin in asked],
            "position": [begin.activity.position for begin in asked],
        },
    )
    done = set()
    for place, at, properties in rows:
        leave = exits[place]
        if leave is not None and leave.matches(leave.event, properties, at):
            done.add(id(asked[place]))
    return [begin for begin in begins if id(begin) not in done]

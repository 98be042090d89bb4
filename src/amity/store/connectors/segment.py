"""Segment's clients: the form of their events is the house's own."""

from typing import ClassVar, Final

import msgspec

from amity.store.contracts import Source
from amity.store.dialect import DIALECTS, Call, Dialect, Reply, Taken

_TYPES: Final = ("identify", "track", "page", "screen", "group", "alias")


@DIALECTS.register("segment")
class SegmentDialect(Dialect):
    """What the SDKs of Segment ask and send."""

    name: ClassVar[str] = "segment"
    title: ClassVar[str] = "Segment"
    description: ClassVar[str] = "Segment's clients for servers, browsers and phones."
    routes: ClassVar[tuple[str, ...]] = ("GET /v1/projects/{write_key}/settings",)
    native: ClassVar[dict[str, str | None]] = {
        **{f"/v1/{name}": name for name in _TYPES},
        **{f"/v1/{name[0]}": name for name in _TYPES},
        **dict.fromkeys(("/v1/batch", "/v1/b", "/v1/import"), "batch"),
        "/v1/m": None,
    }
    has_hook: ClassVar[bool] = False

    def read(self, call: Call) -> Taken:
        """Take any request that gets here for the question which settings there are."""
        return Taken(events=[], write_key=call.parts["write_key"], is_question=True)

    def answer(self, call: Call, source: Source) -> Reply:
        """Return what analytics-next asks for before it sends anything."""
        sender = {
            "apiKey": source.write_key,
            "apiHost": f"{call.host}/v1",
            "protocol": call.scheme,
        }
        settings = {
            "integrations": {"Segment.io": sender},
            "plan": {"track": {"__default": {"enabled": True}}, "identify": {}, "group": {}},
        }
        return Reply(body=msgspec.json.encode(settings))

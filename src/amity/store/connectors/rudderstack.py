"""RudderStack's clients: they send what Segment's do, and ask for a configuration of their own."""

from typing import ClassVar, Final

import msgspec

from amity.store.contracts import Source
from amity.store.dialect import DIALECTS, Call, Dialect, Reply, Taken

_TYPES: Final = ("identify", "track", "page", "screen", "group", "alias")
_QUIET: Final = {"errors": {"enabled": False}, "metrics": {"enabled": False}}


@DIALECTS.register("rudderstack")
class RudderStackDialect(Dialect):
    """What the SDKs of RudderStack ask and send."""

    name: ClassVar[str] = "rudderstack"
    title: ClassVar[str] = "RudderStack"
    description: ClassVar[str] = "RudderStack's clients: this server is their data plane."
    routes: ClassVar[tuple[str, ...]] = ("GET /sourceConfig",)
    native: ClassVar[dict[str, str | None]] = {
        **{f"/v1/{name}": name for name in _TYPES},
        **dict.fromkeys(("/v1/batch", "/v1/import", "/beacon/v1/batch"), "batch"),
        "/rsaMetrics": None,
        "/v1/rsaMetrics": None,
    }
    has_hook: ClassVar[bool] = False

    def read(self, call: Call) -> Taken:
        """Take any request that gets here for the question how the source is set up."""
        return Taken(events=[], write_key=call.query.get("writeKey", ""), is_question=True)

    def answer(self, call: Call, source: Source) -> Reply:
        """Return what the browser SDK asks for before it sends anything."""
        found = {
            "source": {
                "id": str(source.source_id),
                "name": source.name,
                "writeKey": source.write_key,
                "config": {"statsCollection": _QUIET},
                "enabled": source.is_enabled,
                "workspaceId": "amity",
                "destinations": [],
            }
        }
        return Reply(body=msgspec.json.encode(found))

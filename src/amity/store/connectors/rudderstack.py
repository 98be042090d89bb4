"""RudderStack's clients: they send what Segment's do, and ask for a configuration of their own."""

from typing import ClassVar, Final

import msgspec

from amity.store.contracts import Source
from amity.store.dialect import DIALECTS, Call, Dialect, Reply, Snippet, Taken

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
    libraries: ClassVar[tuple[str, ...]] = ("rudder",)
    snippets: ClassVar[tuple[Snippet, ...]] = (
        Snippet(
            key="rudder",
            title="RudderStack",
            install="pip install rudder-sdk-python",
            code=(
                "from rudderstack.analytics.client import Client\n\n"
                'client = Client("{key}", host="{url}")\n'
                'client.identify("u-1042", {"name": "Ada Byron", "email": "ada@example.com"})\n'
                'client.track("u-1042", "Product Viewed", {"product_id": "sourdough-800"})\n'
                "client.flush()\n"
            ),
            note="Every RudderStack SDK works: give it this address as its data plane.",
        ),
    )

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

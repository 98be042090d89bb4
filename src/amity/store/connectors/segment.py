"""Segment's clients: the form of their events is the house's own."""

from typing import ClassVar, Final

import msgspec

from amity.store.contracts import Source
from amity.store.dialect import DIALECTS, Call, Dialect, Reply, Snippet, Taken

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
    libraries: ClassVar[tuple[str, ...]] = (
        "analytics-python",
        "@segment/",
        "analytics.js",
        "analytics-node",
    )
    snippets: ClassVar[tuple[Snippet, ...]] = (
        Snippet(
            key="curl",
            title="curl",
            code=(
                "curl {url}/v1/track \\\n  -u '{key}:' \\\n"
                "  -H 'Content-Type: application/json' \\\n"
                """  -d '{"userId": "u-1042", "event": "Product Viewed", """
                """"properties": {"product_id": "sourdough-800", "name": "Sourdough 800 g", """
                """"price": 3.2}}'\n"""
            ),
        ),
        Snippet(
            key="python",
            title="Python",
            install="pip install segment-analytics-python",
            code=(
                "from segment.analytics.client import Client\n\n"
                'client = Client("{key}", host="{url}")\n'
                'client.identify("u-1042", {"name": "Ada Byron", "email": "ada@example.com"})\n'
                'client.track("u-1042", "Order Completed", '
                '{"order_id": "A-1", "total": 38.2, "currency": "EUR"})\n'
                "client.flush()\n"
            ),
        ),
        Snippet(
            key="javascript",
            title="JavaScript",
            install="npm install @segment/analytics-next",
            code=(
                'import { AnalyticsBrowser } from "@segment/analytics-next";\n\n'
                "const analytics = AnalyticsBrowser.load(\n"
                '  { writeKey: "{key}", cdnURL: "{url}" },\n'
                '  { integrations: { "Segment.io": '
                '{ apiHost: "{host}/v1", protocol: "http" } } },\n'
                ");\n"
                "analytics.page();\n"
                'analytics.track("Product Viewed", { product_id: "sourdough-800", price: 3.2 });\n'
            ),
        ),
    )

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

"""The few lines of code that send a first event, with the right address and write key in them."""

import json
from typing import Final

import msgspec

from amity.infra.config import Settings
from amity.store.contracts import Source

_EVERYWHERE: Final = {"0.0.0.0", "::", "[::]", "*", ""}  # noqa: S104  # read, not bound to


class Snippet(msgspec.Struct, frozen=True, kw_only=True):
    """One way of sending: what to install, and the code."""

    key: str
    title: str
    install: str
    code: str
    note: str = ""


def collector_url(settings: Settings, page_host: str) -> str:
    """Return the collector's address as the reader's machine sees it.

    When the collector listens on every address, the host the reader came by is the best guess.
    """
    host = settings.edge_host
    if host in _EVERYWHERE:
        host = page_host
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return f"http://{host}:{settings.edge_port}"


def make_snippets(source: Source, url: str) -> list[Snippet]:
    """Return the snippets for ``source``, the likeliest for its kind first."""
    made = [
        _curl(source, url),
        _python(source, url),
        _javascript(source, url),
        _rudder(source, url),
        _posthog(source, url),
        _snowplow(source, url),
        _customerio(source, url),
        _cloudevents(source, url),
    ]
    if source.kind == "browser":
        made.sort(key=lambda snippet: snippet.key != "javascript")
        made.insert(0, _tracker(source, url))
    return made


def example_event(user_id: str = "u-1042") -> dict[str, object]:
    """Return the event the snippets send."""
    return {
        "type": "track",
        "userId": user_id,
        "event": "Product Viewed",
        "properties": {"product_id": "sourdough-800", "name": "Sourdough 800 g", "price": 3.2},
    }


def _tracker(source: Source, url: str) -> Snippet:
    return Snippet(
        key="tracker",
        title="amity.js",
        install="",
        code=(
            f'<script async src="{url}/amity.js"\n  data-key="{source.write_key}"\n'
            '  data-consent="required"></script>\n\n'
            "<!-- in a script of your page -->\n"
            "(window.amity = window.amity || []).push(\n"
            '  ["consent", { analytics: true }], // once your visitor has agreed\n'
            '  ["track", "Product Viewed", { product_id: "sourdough-800", price: 3.2 }],\n'
            ");\n"
        ),
        note="Under 3 kB. Tells pages by itself; waits for consent, and heeds the privacy signal.",
    )


def _curl(source: Source, url: str) -> Snippet:
    body = {key: value for key, value in example_event().items() if key != "type"}
    return Snippet(
        key="curl",
        title="curl",
        install="",
        code=(
            f"curl {url}/v1/track \\\n  -u '{source.write_key}:' \\\n"
            f"  -H 'Content-Type: application/json' \\\n  -d '{json.dumps(body)}'\n"
        ),
    )


def _python(source: Source, url: str) -> Snippet:
    return Snippet(
        key="python",
        title="Python",
        install="pip install segment-analytics-python",
        code=(
            "from segment.analytics.client import Client\n\n"
            f'client = Client("{source.write_key}", host="{url}")\n'
            'client.identify("u-1042", {"name": "Ada Byron", "email": "ada@example.com"})\n'
            'client.track("u-1042", "Order Completed", '
            '{"order_id": "A-1", "total": 38.2, "currency": "EUR"})\n'
            "client.flush()\n"
        ),
    )


def _javascript(source: Source, url: str) -> Snippet:
    host = url.removeprefix("http://")
    return Snippet(
        key="javascript",
        title="JavaScript",
        install="npm install @segment/analytics-next",
        code=(
            'import { AnalyticsBrowser } from "@segment/analytics-next";\n\n'
            "const analytics = AnalyticsBrowser.load(\n"
            f'  {{ writeKey: "{source.write_key}", cdnURL: "{url}" }},\n'
            '  { integrations: { "Segment.io": '
            f'{{ apiHost: "{host}/v1", protocol: "http" }} }} }},\n'
            ");\n"
            "analytics.page();\n"
            'analytics.track("Product Viewed", { product_id: "sourdough-800", price: 3.2 });\n'
        ),
    )


def _rudder(source: Source, url: str) -> Snippet:
    return Snippet(
        key="rudder",
        title="RudderStack",
        install="pip install rudder-sdk-python",
        code=(
            "from rudderstack.analytics.client import Client\n\n"
            f'client = Client("{source.write_key}", host="{url}")\n'
            'client.identify("u-1042", {"name": "Ada Byron", "email": "ada@example.com"})\n'
            'client.track("u-1042", "Product Viewed", {"product_id": "sourdough-800"})\n'
            "client.flush()\n"
        ),
        note="Every RudderStack SDK works: give it this address as its data plane.",
    )


def _posthog(source: Source, url: str) -> Snippet:
    return Snippet(
        key="posthog",
        title="PostHog",
        install="pip install posthog",
        code=(
            "from posthog import Posthog\n\n"
            f'client = Posthog("{source.write_key}", host="{url}")\n'
            'client.set(distinct_id="u-1042", properties={"email": "ada@example.com"})\n'
            'client.capture("Product Viewed", distinct_id="u-1042", '
            'properties={"product_id": "sourdough-800"})\n'
            "client.shutdown()\n"
        ),
        note="The write key is the project key, this address the host. There are no flags here.",
    )


def _snowplow(source: Source, url: str) -> Snippet:
    return Snippet(
        key="snowplow",
        title="Snowplow",
        install="pip install snowplow-tracker",
        code=(
            "from snowplow_tracker import Emitter, PageView, Subject, Tracker\n\n"
            f'emitter = Emitter("{url}")\n'
            'subject = Subject().set_user_id("u-1042")\n'
            f'tracker = Tracker("shop", emitter, subject, app_id="{source.write_key}")\n'
            'tracker.track(PageView("https://shop.example/", page_title="Home"))\n'
            "tracker.flush()\n"
        ),
        note="The write key is the app id, this address the collector.",
    )


def _customerio(source: Source, url: str) -> Snippet:
    code = (
        f"curl -X PUT {url}/api/v1/customers/u-1042 \\\n  -u '{source.write_key}:any' \\\n"
        "  -H 'Content-Type: application/json' \\\n"
        f"  -d '{json.dumps({'email': 'ada@example.com', 'plan': 'gold'})}'\n"
    )
    return Snippet(
        key="customerio",
        title="Customer.io",
        install="",
        code=code,
        note="Clients of the Track API: the write key is the site id. They call by https only.",
    )


def _cloudevents(source: Source, url: str) -> Snippet:
    event = {
        "specversion": "1.0",
        "type": "Product Viewed",
        "source": "/shop",
        "id": "1",
        "userid": "u-1042",
        "data": example_event()["properties"],
    }
    return Snippet(
        key="cloudevents",
        title="CloudEvents",
        install="",
        code=(
            f"curl {url}/cloudevents \\\n  -H 'Authorization: Bearer {source.write_key}' \\\n"
            "  -H 'Content-Type: application/cloudevents+json' \\\n"
            f"  -d '{json.dumps(event)}'\n"
        ),
    )

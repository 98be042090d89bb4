"""What the sources' pages show: snippets that are valid code, and bytes that do no harm."""

import ast
import json
import re
from datetime import UTC, datetime

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from amity.infra.config import Settings
from amity.store.contracts import Source
from amity.web.sources.raw import one_line, show_raw, visible
from amity.web.sources.snippets import collector_url, make_snippets

SOURCE = Source(
    source_id=7,
    name="Shop",
    kind="server",
    write_key="KEY",
    is_enabled=True,
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)


def test_snippets_hold_the_key_and_the_address_and_parse() -> None:
    made = {one.key: one for one in make_snippets(SOURCE, "http://127.0.0.1:9999")}
    vendors = ["assertions", "cloudevents", "customerio", "posthog", "rudder", "snowplow"]
    assert list(made) == ["curl", "python", "javascript", *vendors]
    for one in made.values():
        assert "KEY" in one.code
        assert "127.0.0.1:9999" in one.code
    for key in ("python", "rudder", "posthog", "snowplow"):
        ast.parse(made[key].code)
    bodies = {key: re.search(r"-d '(.*)'", one.code) for key, one in made.items()}
    said = {key: json.loads(body[1]) for key, body in bodies.items() if body}
    assert list(said) == ["curl", "assertions", "cloudevents", "customerio"]
    assert said["curl"]["event"] == said["cloudevents"]["type"] == "Product Viewed"
    browser = msgspec.structs.replace(SOURCE, kind="browser")
    first, second, *_ = make_snippets(browser, "http://h")
    assert (first.key, second.key) == ("tracker", "javascript")
    assert 'src="http://h/amity.js"\n  data-key="KEY"' in first.code


def test_the_collectors_address_is_one_a_reader_can_use() -> None:
    assert collector_url(Settings(), "shop.example") == "http://127.0.0.1:8080"
    everywhere = Settings(edge_host="0.0.0.0", edge_port=81)
    assert collector_url(everywhere, "shop.example") == "http://shop.example:81"
    assert collector_url(Settings(edge_host="::1"), "x") == "http://[::1]:8080"


@given(st.binary(max_size=400), st.integers(8, 100))
def test_any_bytes_are_shown_without_a_hidden_character(raw: bytes, limit: int) -> None:
    shown = show_raw(raw, limit=limit)
    assert shown.size_bytes == len(raw)
    assert visible(shown.text) == shown.text
    assert len(one_line(raw)) <= 140
    assert "\n" not in one_line(raw)


def test_the_form_fits_what_it_is() -> None:
    assert show_raw(b'{"a":[1]}').text == '{\n  "a": [\n    1\n  ]\n}'
    assert show_raw(b"plain").form == "text"
    assert show_raw(b"\xff\xfe").text.startswith("000000  ff fe")
    cut = show_raw("é".encode() * 50, limit=11)
    assert (cut.form, cut.is_cut, cut.text) == ("text", True, "é" * 5)
    assert visible("a\u202eb\x00") == "a\\u202eb\\x00"

"""Customers on screen: found, listed, told, taken apart, exported, erased."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from django.test import Client

from amity.analysis import api as analysis
from amity.store import api as store

NOW = datetime.now(UTC).replace(microsecond=0)
HOSTILE = "<script>window.x=1</script>\"'><img src=x onerror=alert(1)>"


def sign_in(role: str = "admin") -> Client:
    from amity.web.staff.models import Staff

    Staff.objects.create_user(f"{role}-one", password="seven kettles", role=role)
    client = Client(SERVER_NAME="localhost")
    client.post("/sign-in/", {"username": f"{role}-one", "password": "seven kettles"})
    return client


def send(*events: dict[str, Any]) -> None:
    source = store.find_source(name="Shop") or store.create_source(name="Shop", kind="server")
    raw = [msgspec.json.encode(one) for one in events]
    store.append_events(source_id=source.source_id, events=raw, now=NOW)
    while store.fold_batch().events:
        pass


def ordered(user: str, total: float, days_ago: int, **more: Any) -> dict[str, Any]:
    at = (NOW - timedelta(days=days_ago)).isoformat()
    properties = {"order_id": f"{user}-{days_ago}", "total": total, "currency": "USD", **more}
    return {
        "type": "track",
        "event": "Order Completed",
        "userId": user,
        "timestamp": at,
        "properties": properties,
    }


def identified(user: str, **traits: Any) -> dict[str, Any]:
    return {"type": "identify", "userId": user, "traits": traits}


def text_of(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", answer.content.decode()))


def names_in(answer: Any) -> list[str]:
    return re.findall(r'<a class="whole"[^>]*>([^<]*)</a>', answer.content.decode())


def id_of(user: str) -> int:
    profile = store.find_profile(kind="user_id", value=user)
    assert profile
    return profile.profile_id


def test_an_empty_list_teaches_the_next_step(db: str) -> None:
    page = text_of(sign_in("viewer").get("/customers/"))
    assert "Nobody yet" in page
    assert "Connect a source" in page


def test_customers_are_searched_filtered_and_sorted(db: str) -> None:
    send(
        identified("u1", name="Ada Bakker", email="ada@example.com"),
        identified("u2", name="Ines Osei", phone="+31 6 1234 5678"),
        ordered("u1", 10, 9),
        ordered("u2", 99, 20),
        {"type": "track", "event": "Product Viewed", "anonymousId": "a-77"},
    )
    client = sign_in("viewer")
    visitor = f"Visitor {anonymous_id_of('a-77')}"
    everybody = names_in(client.get("/customers/"))
    assert sorted(everybody) == ["Ada Bakker", "Ines Osei", visitor]
    assert names_in(client.get("/customers/?sort=revenue"))[0] == "Ines Osei"
    assert len(names_in(client.get("/customers/?known=1"))) == 2
    for query in ("ada", "bakker", "ADA@", "u1"):
        assert names_in(client.get("/customers/", {"q": query})) == ["Ada Bakker"], query
    assert names_in(client.get("/customers/", {"q": "+31612345678"})) == ["Ines Osei"]
    assert names_in(client.get("/customers/", {"q": "a-77"})) == [visitor]
    assert "Nobody like that" in text_of(client.get("/customers/?q=zzz"))
    segment = analysis.create_segment(
        name="Spenders",
        rule={"node": "check", "field": "profile.revenue", "is": {"op": "gt", "value": 50}},
        by="x",
        now=NOW,
    )
    while analysis.follow_batch(now=NOW).events:
        pass
    page = client.get(f"/customers/?segment={segment.segment_id}")
    assert names_in(page) == ["Ines Osei"]
    assert "in Spenders" in text_of(page)
    assert client.get("/customers/?segment=99999").status_code == 404
    assert client.get("/customers/?after=nonsense").status_code == 422


def anonymous_id_of(value: str) -> int:
    profile = store.find_profile(kind="anonymous_id", value=value)
    assert profile
    return profile.profile_id


def test_pages_follow_each_other_without_gaps_with_and_without_script(db: str) -> None:
    send(*(identified(f"u{number}", name=f"Person {number:03}") for number in range(120)))
    client = sign_in("viewer")
    found: list[str] = []
    address = "/customers/"
    while address:
        page = client.get(address)
        found += names_in(page)
        more = re.search(r'id="rows-more".*?href="([^"]+)"', page.content.decode(), re.DOTALL)
        address = more.group(1).replace("&amp;", "&") if more else ""
    assert sorted(found) == [f"Person {number:03}" for number in range(120)]
    first = re.search(r'hx-get="([^"]+)" hx-target="#rows-more"', text := page_of(client))
    assert first, text
    piece = client.get(
        first.group(1).replace("&amp;", "&"),
        headers={"HX-Request": "true", "HX-Target": "rows-more"},
    )
    assert b"<html" not in piece.content
    assert len(names_in(piece)) == 50


def page_of(client: Client) -> str:
    return client.get("/customers/").content.decode()


def test_one_customer_is_told_whole(db: str) -> None:
    send(
        identified("u1", name="Ada"),
        {
            "type": "track",
            "event": "Product Viewed",
            "anonymousId": "d1",
            "properties": {"name": "Rye"},
        },
        {
            "type": "identify",
            "userId": "u1",
            "anonymousId": "d1",
            "traits": {"name": "Ada Bakker", "email": "ada@example.com", "household_size": 4},
        },
        ordered("u1", 38.2, 3, products=[{"name": "Sourdough", "quantity": 2}]),
    )
    client = sign_in("viewer")
    address = f"/customers/{id_of('u1')}/"
    page = text_of(client.get(address))
    for words in (
        "Ada Bakker",
        "Viewed Rye",
        "Ordered 2 items, 38.20 USD",
        "household size",
        "ada@example.com",
        "same device",
        "d1",
        "Shop",
        "1 order",
        "None recorded",
    ):
        assert words in page, words
    assert "Erase this customer" not in page
    orders = text_of(client.get(address + "?show=orders"))
    assert "Ordered 2 items" in orders
    assert "Viewed Rye" not in orders
    merged = store.list_merges(profile_id=id_of("u1")).items[0]
    answer = client.get(f"/customers/{merged.loser_id}/")
    assert answer["Location"] == address
    assert client.get("/customers/999999/").status_code == 404


def test_a_join_is_undone_only_by_those_who_may_and_only_ones_own(db: str) -> None:
    send(
        identified("u1", name="Ada"),
        {"type": "track", "event": "Product Viewed", "anonymousId": "d1"},
        {"type": "identify", "userId": "u1", "anonymousId": "d1", "traits": {"name": "Ada"}},
        identified("u2", name="Ines"),
    )
    merge = store.list_merges(profile_id=id_of("u1")).items[0]
    undo = f"/customers/{id_of('u1')}/merges/{merge.merge_id}/undo/"
    other = f"/customers/{id_of('u2')}/merges/{merge.merge_id}/undo/"
    assert sign_in("viewer").post(undo).status_code == 403
    agent = sign_in("agent")
    assert agent.post(other).status_code == 404
    assert agent.get(undo).status_code == 405
    assert store.list_merges(profile_id=id_of("u1")).items[0].undone_by is None
    assert agent.post(undo).status_code == 302
    while store.fold_batch().events:
        pass
    apart = store.find_profile(kind="anonymous_id", value="d1")
    assert apart
    assert apart.profile_id != id_of("u1")


def test_erasure_takes_the_name_typed_and_an_admin(db: str) -> None:
    send(identified("u1", name="Ada Bakker", email="ada@example.com"), ordered("u1", 5, 2))
    address = f"/customers/{id_of('u1')}/erase/"
    assert sign_in("marketer").post(address, {"confirm": "Ada Bakker"}).status_code == 403
    admin = sign_in("admin")
    assert "Erase this customer" in text_of(admin.get(f"/customers/{id_of('u1')}/"))
    admin.post(address, {"confirm": "Ada"})
    assert store.find_profile(kind="user_id", value="u1") is not None
    answer = admin.post(address, {"confirm": "Ada Bakker"}, follow=True)
    assert "Erased for good" in text_of(answer)
    assert store.find_profile(kind="user_id", value="u1") is None
    assert "Ada Bakker" not in text_of(admin.get("/customers/"))


def test_the_export_is_what_the_list_shows_and_starts_no_formulas(db: str) -> None:
    send(
        identified("=cmd|' /C calc'!A0", name='=HYPERLINK("http://e")', email="e@example.com"),
        identified("u2", name="Ines", phone="+31612345678"),
        ordered("u2", 1234.5, 2),
    )
    assert sign_in("agent").get("/customers/export.csv").status_code == 403
    client = sign_in("marketer")
    answer = client.get("/customers/export.csv?known=1")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    assert {row["name"] for row in rows} == {'\'=HYPERLINK("http://e")', "Ines"}
    assert all(not cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    ines = next(row for row in rows if row["name"] == "Ines")
    assert (ines["revenue"], ines["currency"], ines["orders"]) == ("1234.50", "USD", "1")
    narrow = client.get("/customers/export.csv?q=ines").getvalue().decode()
    assert narrow.count("\r\n") == 2


@pytest.mark.parametrize("role", ["admin", "viewer"])
def test_what_people_write_is_never_markup(db: str, role: str) -> None:
    send(
        identified("u1", name=HOSTILE, **{HOSTILE: HOSTILE}),
        {"type": "track", "event": HOSTILE, "userId": "u1", "properties": {"name": HOSTILE}},
        ordered("u1", 5, 1, coupon=HOSTILE, products=[{"name": HOSTILE}]),
    )
    client = sign_in(role)
    pages = [
        "/customers/",
        f"/customers/{id_of('u1')}/",
        "/find/?q=u1",
        "/",
        "/customers/?q=%3Cb%3E",
    ]
    for address in pages:
        body = client.get(address).content.decode()
        assert "<script>window" not in body, address
        assert "<img" not in body, address
        assert "<b>\u201d" not in body, address
    shown = client.get(pages[1]).content.decode()
    assert "&lt;script&gt;window" in shown, "else nothing was said of what must not be markup"

"""The demo shop's data become events that are the same every time."""

from datetime import UTC, date, datetime

import msgspec
import pytest

from amity.cli.demo.people import (
    assign_people,
    iter_consent_events,
    iter_registration_events,
    list_registrations,
    write_customers,
)
from amity.cli.demo.shop import Basket, Calendar, Line
from amity.cli.demo.stand_in import StandIn
from amity.cli.demo.till import Tally, iter_mailings, iter_orders, iter_redemptions
from amity.cli.demo.web_shop import choose_sign_ins, iter_web_events
from amity.store.connector import find_connector
from amity.store.logic.importing.mapping import guess_mapping
from amity.store.logic.intake.decoding import check_event

NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)


def all_events(data):
    calendar = Calendar.ending_today(NOW, data.last_day)
    holders = assign_people(data)
    registrations = list_registrations(data, holders)
    clicks = data.clicks()
    return [
        *iter_consent_events(holders, data, calendar),
        *iter_registration_events(registrations, calendar, is_web=True),
        *iter_registration_events(registrations, calendar, is_web=False),
        *iter_mailings(data.mailings(), calendar),
        *iter_orders(data.iter_baskets(), calendar, Tally()),
        *iter_redemptions(data.redemptions(), calendar),
        *iter_web_events(clicks, choose_sign_ins(clicks, holders), calendar),
    ]


def test_two_loads_send_the_same_bytes_and_no_message_id_twice():
    first = [msgspec.json.encode(event) for event in all_events(StandIn())]
    second = [msgspec.json.encode(event) for event in all_events(StandIn())]
    assert first == second
    assert len({check_event(raw).message_id for raw in first}) == len(first) > 1_000


def test_nothing_lies_in_the_future_and_the_last_day_is_today():
    times = sorted(event["timestamp"] for event in all_events(StandIn()))
    assert times[-1] <= "2026-04-01T12:00:00Z"
    assert times[-1] >= "2026-03-31"


def test_calendar_moves_whole_days_and_leaves_out_what_is_to_come():
    calendar = Calendar.ending_today(NOW, date(2017, 12, 31))
    assert calendar.move(datetime(2017, 12, 31, 9, 30)) == "2026-04-01T09:30:00Z"
    assert calendar.move(datetime(2017, 12, 31, 12, 0, 1)) is None
    assert calendar.move(datetime(2017, 1, 1, 23)) == "2025-04-02T23:00:00Z"
    assert calendar.move_day(datetime(2018, 1, 5)) == "2026-04-06"


def line(**more):
    values = {
        "product_id": 1,
        "quantity": 1,
        "value": 2.0,
        "shop_discount": 0.0,
        "coupon_discount": 0.0,
        "matched_discount": 0.0,
        "kind": "MILK",
        "category": "DAIRY",
        "brand": "National",
        "size": "1 GA",
    }
    return Line(**values | more)


def order_of(*lines):
    tally = Tally()
    basket = Basket(7, 10, 300, datetime(2017, 6, 1, 10), list(lines))
    calendar = Calendar.ending_today(NOW, date(2017, 12, 31))
    return list(iter_orders(iter([basket]), calendar, tally)), tally


def test_an_order_says_what_the_shop_took():
    (event,), _ = order_of(
        line(quantity=2, value=5.0, shop_discount=0.5, matched_discount=0.25),
        line(product_id=2, value=1.5, coupon_discount=0.4, brand="Private", size=None),
    )
    assert event["userId"] == "card-10"
    assert event["properties"] == {
        "order_id": "7",
        "affiliation": "Store 300",
        "total": 6.5,
        "currency": "USD",
        "discount": 0.75,
        "coupon_discount": 0.4,
        "products": [
            {
                "product_id": "1",
                "name": "Milk, 1 GA",
                "category": "Dairy",
                "quantity": 2,
                "price": 2.5,
            },
            {
                "product_id": "2",
                "name": "Milk",
                "category": "Dairy",
                "brand": "Own brand",
                "quantity": 1,
                "price": 1.5,
            },
        ],
    }


def test_dirty_till_lines_are_put_right_or_left_out_and_counted():
    petrol = line(kind="GASOLINE-REG UNLEADED", quantity=10_000, value=20.0)
    (event,), tally = order_of(
        line(quantity=0, value=0.0, coupon_discount=1.0),
        line(kind="COUPONS/STORE & MFG", value=0.0),
        line(kind=None, category=None, product_id=5),
        petrol,
    )
    products = event["properties"]["products"]
    assert [product["name"] for product in products] == ["Product 5", "Petrol, gallons"]
    assert (products[1]["quantity"], products[1]["price"]) == (10.0, 2.0)
    assert event["properties"]["coupon_discount"] == 1.0
    assert (tally.coupon_only_lines, tally.unknown_products, tally.fuel_lines) == (2, 1, 1)


def test_a_basket_with_nothing_in_it_is_no_order():
    events, tally = order_of(line(quantity=0, value=0.0))
    assert events == []
    assert (tally.orders, tally.empty_baskets) == (0, 1)


def test_a_cards_person_does_not_depend_on_which_cards_are_loaded():
    data = StandIn()
    some = StandIn()
    some.households = lambda: data.households()[::2]
    everybody = {holder.card: holder for holder in assign_people(data)}
    for holder in assign_people(some):
        assert everybody[holder.card] == holder
    people = [holder.record.person for holder in everybody.values() if holder.record]
    assert len(set(people)) == len(people)
    assert any(holder.record is None for holder in everybody.values())


def test_nobody_can_be_reached_by_the_made_up_addresses():
    people = list(assign_people(StandIn()))
    assert any(holder.email for holder in people)
    assert any(holder.phone for holder in people)
    for holder in people:
        assert not holder.email or holder.email.split("@")[1].startswith("example.")
        assert not holder.phone or " 555 01" in holder.phone


def test_the_customer_file_is_understood_by_the_importer_and_every_row_is_good():
    data = StandIn()
    text = write_customers(assign_people(data), Calendar.ending_today(NOW, data.last_day))
    head, *rows = text.decode().splitlines()
    mapping = guess_mapping(find_connector("customers"), head.split(","))
    assert mapping["Card number"] == "user_id"
    assert mapping["True since"] == "updated_at"
    extras = [field for field in mapping.values() if field.startswith("trait.")]
    assert len(extras) == 7
    assert len(rows) > 50


def test_who_signs_in_is_known_afterwards_and_only_then():
    data = StandIn()
    clicks = data.clicks()
    calendar = Calendar.ending_today(NOW, data.last_day)
    sign_ins = choose_sign_ins(clicks, assign_people(data))
    assert sign_ins
    cards = [holder.card for holder in sign_ins.values()]
    assert len(set(cards)) == len(cards)
    known: dict[str, str] = {}
    sessions: dict[str, str] = {}
    for event in iter_web_events(clicks, sign_ins, calendar):
        if event.get("event") == "Signed In":
            known[event["anonymousId"]] = event["userId"]
            sessions[event["anonymousId"]] = event["properties"]["session_id"]
        elif "userId" in event and event["type"] != "identify":
            assert known[event["anonymousId"]] == event["userId"]
            assert sessions[event["anonymousId"]] == event["properties"]["session_id"]
    assert len(known) == len(sign_ins)


def test_copies_join_their_card_only_by_the_very_same_contact():
    data = StandIn()
    registrations = list_registrations(data, assign_people(data))
    joined = [registration for registration in registrations if registration.is_joined]
    assert 0 < len(joined) < len(registrations)
    for registration in registrations:
        same = {registration.email, registration.phone} & {
            registration.holder.email,
            registration.holder.phone,
        } - {""}
        assert bool(same) == registration.is_joined


@pytest.mark.parametrize("name", ["mailings", "redemptions", "clicks", "records", "households"])
def test_the_stand_in_is_the_same_shop_every_time(name):
    assert getattr(StandIn(), name)() == getattr(StandIn(), name)() != []

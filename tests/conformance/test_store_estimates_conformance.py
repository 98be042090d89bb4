"""Every estimate over the store keeps what the plug point promises, and finds what is there."""

from datetime import timedelta

import msgspec
import numpy as np
import pytest

from amity.analysis.estimator import Refused
from amity.analysis.logic.preferences.contacts import Contact, find_answered, keep_one_telling
from amity.analysis.store_estimate import load_store_estimates
from amity.testing.reports_town import NOW, Town
from amity.testing.store_estimates_kit import check_store_estimate, make_known, run_on_town

PEOPLE = 80


def json(value):
    return msgspec.json.encode(value).decode()


REFUSED, SILENT = PEOPLE + 1, PEOPLE + 2


def _some_never_answer(town):
    """One refused to have it counted and opens all the same, one agreed and does not."""
    for who, status in ((REFUSED, "denied"), (SILENT, "granted")):
        town.customer(who, consents=json({"tracking.email": {"status": status}}))
        for number in range(5):
            at, send_id = NOW - timedelta(days=9 + number), f"s-{who}-{number}"
            town.send(who, at, send_id=send_id, state="sent")
            if who == REFUSED:
                town.event(who, "Email Opened", at + timedelta(hours=1), {"send_id": send_id})


def town_of_messages(rng, *, agreed=True, lean=True):
    """Of even numbers who answer in the evening, of odd ones in the morning, if they lean."""
    town = Town()
    for who in range(1, PEOPLE + 1):
        consents = {"tracking.email": {"status": "granted"}} if agreed else {}
        town.customer(who, consents=json(consents), traits=json({"timezone": "Europe/Berlin"}))
        for number in range(40):
            hour = (7, 17)[number % 2]
            at = (NOW - timedelta(days=3 + 4 * number)).replace(hour=hour, minute=10)
            send_id = f"s-{who}-{number}"
            town.send(who, at, send_id=send_id, state="sent")
            likes = (hour == 17) == (who % 2 == 0)
            if rng.random() < ((0.6 if likes else 0.1) if lean else 0.35):
                about = {"send_id": send_id, "is_machine": False}
                town.event(who, "Email Opened", at + timedelta(hours=1), about)
            elif rng.random() < 0.3:
                about = {"send_id": send_id, "is_machine": True}
                town.event(who, "Email Opened", at + timedelta(hours=1), about)
    _some_never_answer(town)
    return town


def town_of_channels(rng, *, texts=True):
    """Of even numbers who answer texts, of odd ones e-mail; some tell a text twice, or no id."""
    town = Town()
    for who in range(1, PEOPLE + 1):
        town.customer(who, consents=json({"tracking.email": {"status": "granted"}}))
        for number in range(25):
            at = NOW - timedelta(days=3 + 5 * number)
            send_id = f"s-{who}-{number}"
            town.send(who, at, send_id=send_id, state="sent")
            town.event(who, "Email Sent", at, {"send_id": send_id})
            if rng.random() < (0.1 if who % 2 == 0 else 0.5):
                town.event(who, "Email Opened", at + timedelta(hours=1), {"send_id": send_id})
            if texts:
                _text(town, who, number, at, is_answered=rng.random() < (0.5, 0.1)[who % 2])
    town.event(1, "Call Ended", NOW - timedelta(days=5), {"direction": "inbound"})
    _some_never_answer(town)
    return town


def _text(town, who, number, at, *, is_answered):
    about = {"message_id": f"t-{who}-{number}"} if who % 3 else {}
    at += timedelta(hours=1)
    town.event(who, "SMS Sent", at, about)
    town.event(who, "SMS Delivered", at + timedelta(minutes=1), about)
    if is_answered:
        town.event(who, "SMS Clicked", at + timedelta(hours=2), about)
        town.event(who, "SMS Clicked", at + timedelta(hours=3), about)


def town_of_prices(rng, *, seekers=True):
    """Products cost four fifths in some weeks; half of the people come in those weeks."""
    town = Town()
    for who in range(1, PEOPLE + 1):
        town.customer(who)
        for number in range(16):
            seeks = seekers and who % 2 == 0
            cheap = rng.random() < (0.7 if seeks else 0.15 if seekers else 0.4)
            at = NOW - timedelta(days=2 + 20 * number + int(rng.integers(0, 10)))
            kind = int(rng.integers(0, 5))
            usual = 4.0 + kind
            price = usual * (0.8 if cheap else 1.0)
            line = {"product_id": f"p{kind}", "price": price, "quantity": 1 + 2 * int(cheap)}
            town.order(who, at, round(price * 100), products=(line,))
    return town


def town_of_answers(rng, *, people=260, told=True):
    """Who buys more is happier, and answers sooner."""
    town = Town()
    for who in range(1, people + 1):
        town.customer(who)
        orders = who % 6
        for number in range(orders):
            town.order(who, NOW - timedelta(days=300 - number), 1000)
        at = NOW - timedelta(days=200 - who % 180)
        town.event(who, "Product Viewed", NOW - timedelta(days=10))
        town.event(who, "Survey Asked", at, {"kind": "nps", "post": "mail"})
        if rng.random() < 0.35 + 0.09 * orders:
            said = (3 + 1.2 * orders if told else 6) + rng.normal(0, 1.2)
            answer = int(np.clip(round(said), 0, 10))
            about = {"kind": "nps", "post": "mail", "answer": answer}
            town.event(who, "Survey Answered", at + timedelta(days=1), about)
    return town


def town_of_friends(rng):
    """Every third person was brought by the one a third of the way back."""
    town = Town()
    for who in range(1, 241):
        by = who // 3 if who % 3 == 0 else None
        town.customer(who, traits=json({"referred_by": f" U{by}" if by else None}))
        town.rows["identities"].append({"profile_id": who, "kind": "user_id", "value": f"u{who}"})
        rate = rng.gamma(1.2, 0.02)
        day = float(rng.integers(20, 500))
        while day > 0:
            town.order(who, NOW - timedelta(days=day), int(rng.gamma(4, 800)) + 100)
            day -= rng.exponential(1 / rate)
            if rng.random() < 0.05:
                break
    return town


def town_of_standing(rng):
    """People who buy more or less often, and think more or less well."""
    town = Town()
    for who in range(1, 61):
        town.customer(who)
        for number in range(int(rng.integers(0, 6))):
            town.order(who, NOW - timedelta(days=5 + 20 * number), int(rng.integers(100, 9000)))
        if who % 2:
            answer = {"kind": "nps", "answer": int(rng.integers(0, 11))}
            town.event(who, "Survey Answered", NOW - timedelta(days=9), answer)
        town.send(who, NOW - timedelta(days=4))
    return town


TOWNS = {
    "loyalty": town_of_standing,
    "pareto": town_of_standing,
    "send_channel": town_of_channels,
    "send_time": town_of_messages,
    "discounts": town_of_prices,
    "satisfaction": town_of_answers,
    "referrals": town_of_friends,
}


def known_of(kind):
    ids = np.arange(1, 241)
    return make_known(kind, {name: (ids, ids * 1.0) for name in kind.needs if name == "clv"})


@pytest.fixture(scope="module")
def found():
    """What each estimator finds in its town, checked against the plug point."""
    return {
        name: check_store_estimate(kind, TOWNS[name](np.random.default_rng(5)), known_of(kind))
        for name, kind in ((name, load_store_estimates()[name]) for name in TOWNS)
    }


def test_every_estimate_conforms(found):
    assert set(found) == set(load_store_estimates().names())


def test_hours_are_found_in_customers_own_time_and_tried_on_later_messages(found):
    hours = found["send_time"].scores["send_hour"]
    # Seven and seventeen o'clock of UTC are an hour or two later in Berlin.
    best = dict(zip(hours.customer_id.tolist(), hours.column.value.tolist(), strict=True))
    assert SILENT in best
    assert REFUSED not in best
    evening = np.mean([best[who] >= 17 for who in best if who % 2 == 0])
    morning = np.mean([best[who] < 12 for who in best if who % 2 == 1])
    assert min(evening, morning) > 0.9
    assert any("as often then" in label for label in hours.column.labels)
    chance = found["send_time"].scores["answer_chance"].column
    assert 0.45 < chance.value.mean() < 0.7
    tried = found["send_time"].report["calibration"]
    assert tried["gain_of_own_hours"] > 0
    inside = [
        each["actual_low"] - 0.02 <= each["predicted"] <= each["actual_high"] + 0.02
        for each in tried["groups"]
    ]
    assert sum(inside) >= 0.6 * len(inside)
    # A machine's opens are no answers, and silence of who never agreed means nothing.
    assert 0.3 < found["send_time"].parameters["answer_rate"] < 0.4


def test_hours_nobody_leans_to_are_not_said_to_be_theirs():
    kind = load_store_estimates()["send_time"]
    town = town_of_messages(np.random.default_rng(6), agreed=False, lean=False)
    plain = run_on_town(kind, town, make_known(kind))
    labels = plain.scores["send_hour"].column.labels
    own = [label for label in labels if "as often" in label and "chance" not in label]
    assert len(own) < 0.1 * PEOPLE


def test_channels_are_those_whose_answers_events_tell(found):
    report = found["send_channel"].report
    scored = found["send_channel"].scores["send_channel"]
    best = dict(zip(scored.customer_id.tolist(), scored.column.labels, strict=True))
    assert SILENT in best
    assert REFUSED not in best
    assert np.mean([best[who] == "sms" for who in best if who % 2 == 0]) > 0.85
    assert np.mean([best[who] == "email" for who in best if who % 2 == 1]) > 0.85
    # A text told as sent and as delivered is one text, and a call that came in is no message.
    assert report["facts"]["messages"] == PEOPLE * 25 * 2 + 5
    assert "SMS Clicked" in report["facts"]["channels counted"]
    assert "call" not in report["facts"]["channels counted"]
    assert 0.25 < found["send_channel"].parameters["answered_by_sms"] < 0.35
    assert report["calibration"]["gain_of_own_channels"] > 0
    kind = load_store_estimates()["send_channel"]
    with pytest.raises(Refused, match=r"and there is 1 \(email: \d+ of 2,005 answered\)"):
        run_on_town(kind, town_of_channels(np.random.default_rng(2), texts=False), make_known(kind))


def test_an_answer_without_an_id_is_that_of_the_last_message_of_its_channel_in_time():
    def contacts(*rows):
        columns = np.array(rows, np.int64).reshape(-1, 4).T
        names = ("customer", "channel", "second", "key")
        return Contact(**dict(zip(names, columns, strict=True)))

    day = 86_400
    messages = contacts((1, 0, 0, -1), (1, 0, day, -1), (1, 1, day, 7), (2, 0, 0, 8))
    answers = contacts(
        *((1, 0, day + 9, -1), (1, 1, 9 * day, 7)),  # the later one; by its id, however late
        *((2, 0, 4 * day, -1), (3, 0, 5, -1), (2, 0, 5, 99)),  # too late; a stranger's; another id
    )
    assert find_answered(messages, answers).tolist() == [0, 1, 1, 0]
    told_twice = contacts((1, 0, 0, 5), (1, 0, 1, 5), (1, 0, 2, 5), (1, 1, 3, -1))
    assert keep_one_telling(told_twice, np.array([0, 1, 0, 1])).tolist() == [0, 3]


def test_who_seeks_reductions_is_told_from_who_happens_upon_them(found):
    score = found["discounts"].scores["discount_share"]
    share = dict(zip(score.customer_id.tolist(), score.column.value.tolist(), strict=True))
    seeking = np.mean([share[who] for who in share if who % 2 == 0])
    others = np.mean([share[who] for who in share if who % 2 == 1])
    assert seeking == pytest.approx(0.7, abs=0.1)
    assert others == pytest.approx(0.15, abs=0.1)
    groups = found["discounts"].report["calibration"]["groups"]
    misses = [abs(group["predicted"] - group["actual"]) for group in groups]
    assert np.mean(misses) < 0.1
    assert groups[-1]["actual"] > groups[0]["actual"] + 0.3
    assert found["discounts"].parameters["elasticity"] < -1
    kind = load_store_estimates()["discounts"]
    town = town_of_prices(np.random.default_rng(8), seekers=False)
    with pytest.raises(Refused, match="no more"):
        run_on_town(kind, town, make_known(kind))


def test_the_silent_are_given_what_such_customers_answer(found):
    scored = found["satisfaction"].scores["satisfaction:nps"]
    labels = dict(zip(scored.customer_id.tolist(), scored.column.labels, strict=True))
    value = dict(zip(scored.customer_id.tolist(), scored.column.value.tolist(), strict=True))
    silent = [who for who in labels if labels[who].startswith("not answered")]
    assert len(labels) == 260
    assert 60 < len(silent) < 160
    keen = np.mean([value[who] for who in silent if who % 6 >= 4])
    cool = np.mean([value[who] for who in silent if who % 6 <= 1])
    assert keen > cool + 2
    spoke = next(label for who, label in labels.items() if label.startswith("answered"))
    assert "speaks for" in spoke
    # Those who answer are the pleased: of all who were asked it is less.
    report = found["satisfaction"].report
    assert report["corrected"]["nps"]["value"] < 0.5
    assert found["satisfaction"].parameters["nps_skill"] > 0.3
    kind = load_store_estimates()["satisfaction"]
    town = town_of_answers(np.random.default_rng(9), told=False)
    plain = run_on_town(kind, town, make_known(kind))
    assert "R²" in plain.report["calibration"]["refused"]
    assert plain.followed == {}


def test_who_brought_whom_is_credited_step_by_step(found):
    score = found["referrals"].scores["referral_value"]
    worth = dict(zip(score.customer_id.tolist(), score.column.value.tolist(), strict=True))
    # 80 brought 240; 26 brought 78, 8 brought 24, 27 brought 81 which brought 243, who is nobody.
    assert worth[80] == pytest.approx(0.5 * 240)
    assert worth[26] == pytest.approx(0.5 * (78 + 0.5 * 234))
    assert found["referrals"].report["facts"]["links"] == 80
    assert found["referrals"].report["calibration"]["groups"]


def test_a_referral_needs_enough_links_and_values():
    kind = load_store_estimates()["referrals"]
    town = town_of_friends(np.random.default_rng(5))
    with pytest.raises(Refused, match="has a value yet"):
        run_on_town(kind, town, make_known(kind))

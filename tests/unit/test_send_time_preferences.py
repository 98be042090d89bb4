"""When customers like to be reached, where what they like is known, and where they like nothing."""

from datetime import UTC, datetime

import numpy as np
import pytest

from amity.analysis.estimator import Refused
from amity.analysis.file_estimate import load_file_estimates
from amity.analysis.logic.preferences.hours import (
    block_of,
    hours_of_week,
    population_profile,
    profile_p_value,
    show_hour,
)
from amity.analysis.logic.preferences.leaning import learn_leaning
from amity.kernel.errors import Invalid
from amity.testing.file_estimates_kit import run_on, write_example

MICRO = 1_000_000


def town(rng, *, strength, customers=400, messages=40, places=6):
    """Messages spread evenly; leanings are gamma distributed around 1 with a known strength."""
    profile = np.linspace(0.05, 0.15, places)
    lean = rng.gamma(strength, 1 / strength, (customers, places)) if strength else 1.0
    sent = rng.multinomial(messages, np.full(places, 1 / places), customers) * 1.0
    answers = rng.binomial(sent.astype(int), np.clip(profile * lean, 0, 1)) * 1.0
    return sent, answers, profile, lean


def test_how_widely_customers_differ_is_learnt_from_all():
    rng = np.random.default_rng(1)
    for strength in (1.0, 4.0):
        sent, answers, profile, lean = town(rng, strength=strength, messages=90, customers=250)
        found = learn_leaning(sent, answers, profile, rng)
        assert found.p_value < 0.05
        # Within a customer leanings are seen less their own mean, so somewhat narrower.
        assert 0.6 * strength < found.strength < 2.5 * strength
        assert np.corrcoef(found.index.ravel(), lean.ravel())[0, 1] > 0.4


def test_customers_who_lean_to_nothing_are_not_said_to():
    rng = np.random.default_rng(2)
    chances = []
    for _ in range(12):
        sent, answers, profile, _ = town(rng, strength=0, customers=100, messages=20)
        found = learn_leaning(sent, answers, profile, rng)
        chances.append(found.p_value)
    assert sum(chance < 0.05 for chance in chances) <= 2
    assert np.mean(chances) > 0.25


def test_few_messages_keep_to_the_population_and_many_do_not():
    rng = np.random.default_rng(3)
    sent, answers, profile, _ = town(rng, strength=2.0, customers=60)
    sent[0], answers[0] = [1, 0, 0, 0, 0, 1], [1, 0, 0, 0, 0, 0]
    sent[1], answers[1] = [100, 0, 0, 0, 0, 100], [100, 0, 0, 0, 0, 0]
    found = learn_leaning(sent, answers, profile, rng)
    low, high = found.limits()
    assert found.index[0, 0] < found.index[1, 0]
    assert low[0, 0] < 1 < high[0, 0]
    assert 1 < low[1, 0] < found.index[1, 0] < high[1, 0]
    assert np.all((low <= found.index) & (found.index <= high))


def test_hours_are_those_of_the_customers_own_week():
    moments = [
        datetime(2024, 3, 31, 0, 30, tzinfo=UTC),  # a Sunday, before clocks change in Berlin
        datetime(2024, 3, 31, 1, 30, tzinfo=UTC),  # and after
        datetime(2024, 1, 1, 23, 10, tzinfo=UTC),  # a Monday
    ]
    stamp = np.array([int(each.timestamp()) * MICRO for each in moments])
    berlin = hours_of_week(stamp, np.zeros(3, np.int64), ["Europe/Berlin"])
    assert [show_hour(each) for each in berlin.tolist()] == [
        "Sunday 01:00",
        "Sunday 03:00",
        "Tuesday 00:00",
    ]
    both = hours_of_week(stamp, np.array([0, 0, 1]), ["UTC", "Asia/Tokyo"])
    assert [show_hour(each) for each in both.tolist()] == [
        "Sunday 00:00",
        "Sunday 01:00",
        "Tuesday 08:00",
    ]
    with pytest.raises(Invalid, match="Mars"):
        hours_of_week(stamp, np.zeros(3, np.int64), ["Mars/Olympus"])
    assert block_of(np.array([0, 23, 24 * 5, 167])).tolist() == [0, 5, 6, 11]


def test_the_population_has_an_hour_only_where_answers_differ():
    rng = np.random.default_rng(4)
    hour = rng.integers(0, 168, 20_000)
    evening = np.isin(hour % 24, (19, 20))
    answered = (rng.random(20_000) < np.where(evening, 0.4, 0.1)) * 1.0
    profile = population_profile(hour, answered)
    assert int(np.argmax(profile)) % 24 in (19, 20)
    assert profile_p_value(block_of(hour), answered, 12) < 1e-6
    even = (rng.random(20_000) < 0.1) * 1.0
    assert profile_p_value(block_of(hour), even, 12) > 0.01


def test_a_file_says_who_likes_evenings_and_that_nobody_prefers_a_channel(tmp_path):
    kind = load_file_estimates()["send-time"]
    example = kind.example(np.random.default_rng(5), 400)
    path = write_example(tmp_path / "sent.csv", example)
    found = run_on(kind, path, example.options)
    rows = dict(zip(found.out.heads, found.out.columns, strict=True))
    hours = np.array([int(each.split()[1][:2]) for each in rows["best_hour"]])
    likes_evening = np.array([int(name[1:]) % 2 == 0 for name in rows["customer"]])
    assert np.mean((hours >= 16) == likes_evening) > 0.8
    assert "show hours of their own" in found.answer.words[1]
    assert "channels of their own" in found.answer.words[2]
    assert rows["channel_is_own"].sum() == 0


def test_too_little_is_refused(tmp_path):
    kind = load_file_estimates()["send-time"]
    example = kind.example(np.random.default_rng(6), 50)
    path = write_example(tmp_path / "sent.csv", example)
    with pytest.raises(Refused, match="150 messages"):
        run_on(kind, path, example.options)

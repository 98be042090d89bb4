"""Decisions while all under them is killed: what was answered is in the log, nothing is 5xx."""

import random
import threading
import time
from collections import Counter

import msgspec
import pytest

from amity.testing.chaos import Caller, Nemesis, connect
from amity.testing.installation import wait_for

SECONDS = 3.0
ASKERS = 4
PLACEMENT = """
    INSERT INTO personalization_placement (key, name, kind, policy)
    VALUES ('chaos', 'Chaos', 'offers', 'thompson') RETURNING id
"""
OFFER = """
    INSERT INTO personalization_offer (key, name, headline, placement_ids, state)
    VALUES (%s, %s, %s, ARRAY[%s], 'live')
"""


class Asker:
    """Asks until told to stop, and notes every decision that was answered."""

    def __init__(self, port, write_key, number):
        self.answers = Counter()
        self.decided = []
        self.wrong = []
        self._caller = Caller(port, write_key)
        self._rng = random.Random(number)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self):
        self._stopping.set()
        self._thread.join()
        self._caller.close()

    def _run(self):
        while not self._stopping.is_set():
            user = f"u{self._rng.randrange(50)}"
            body = msgspec.json.encode({"placement": "chaos", "userId": user})
            answer = self._caller.post(body, path="/v1/decide")
            self.answers[answer.status] += 1
            if answer.status == 200:
                self.decided.append(answer.content["decisionId"])
            elif answer.status == 429:
                wait = answer.headers.get("retry-after", "")
                if not (wait.isdigit() and 1 <= int(wait) <= 300):
                    self.wrong.append(f"429 with Retry-After {wait!r}")
                time.sleep(0.02)
            elif answer.status:
                self.wrong.append(f"{answer.status} {answer.content}")
            else:
                time.sleep(0.02)


@pytest.fixture
def placement(installation):
    with connect(installation) as connection:
        (placement_id,) = connection.execute(PLACEMENT).fetchone()
        for number in range(10):
            key = f"chaos-{number}"
            connection.execute(OFFER, [key, key, key, placement_id])
    yield placement_id
    with connect(installation) as connection:
        connection.execute("DELETE FROM personalization_offer WHERE key LIKE 'chaos-%'")
        connection.execute("DELETE FROM personalization_placement WHERE key = 'chaos'")


def decides(installation, source):
    caller = Caller(installation.edge_port, source["write_key"])
    try:
        return caller.post(b'{"placement":"chaos"}', path="/v1/decide").status == 200
    finally:
        caller.close()


def test_what_was_answered_is_logged_whatever_is_killed(
    installation, source, placement, tmp_path, rounds
):
    wait_for(lambda: decides(installation, source), what="decisions")
    nemesis = Nemesis(installation, random.Random(7))
    key, port = source["write_key"], installation.edge_port
    askers = [Asker(port, key, number) for number in range(ASKERS)]
    try:
        nemesis.rage(seconds=SECONDS * rounds)
        wait_for(lambda: decides(installation, source), what="decisions to come back")
        wait_for(lambda: sum(len(each.decided) for each in askers) > 30, what="more of them")
    finally:
        for asker in askers:
            asker.stop()
    assert [asker.wrong for asker in askers] == [[]] * ASKERS
    answers = sum((asker.answers for asker in askers), Counter())
    assert set(answers) <= {0, 200, 429}
    decided = [each for asker in askers for each in asker.decided]
    assert len(decided) == len(set(decided)) == answers[200] > 30
    with connect(installation) as connection:
        (logged,) = connection.execute(
            "SELECT count(*) FROM personalization_decision WHERE id = ANY (%s::uuid[])", [decided]
        ).fetchone()
    assert logged == len(decided)
    assert {victim for _, victim in nemesis.kills} == {
        *("edge", "edge worker", "worker", "postgres", "backend")
    }

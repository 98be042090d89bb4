"""Sending in a whole Amity: the local mailbox, the panic stop."""

import os
import signal
import time

import pytest

from amity.testing.chaos import connect
from amity.testing.installation import wait_for
from amity.testing.mailing import make_content, make_people, queue
from amity.testing.template import begin_with


@pytest.fixture
def home(tmp_path, template):
    made = begin_with(template, tmp_path / "one")
    # Whoever runs this may do so at night.
    made.environment |= {"AMITY_QUIET_FROM": "0", "AMITY_QUIET_UNTIL": "0"}
    yield made
    if made.process is not None and made.process.poll() is None:
        made.stop()


def counts(home):
    with connect(home) as connection:
        return dict(
            connection.execute("SELECT state, count(*) FROM broadcast_send GROUP BY 1").fetchall()
        )


def plan(home, numbers):
    with home_secrets(home), connect(home) as connection:
        make_people(connection, numbers)
        queue(connection, numbers, make_content(connection), run_kind="service", run_id=0)


def home_secrets(home):
    """Addresses are known by keyed hashes, and the key is the installation's."""
    from amity.infra import config

    return config.override(data=home.environment["AMITY_DATA"])


def mailbox(home):
    with connect(home) as connection:
        return connection.execute("SELECT count(*) FROM broadcast_mailbox").fetchone()[0]


def test_messages_reach_the_mailbox_and_a_stop_holds_them(home):
    home.start()
    state = home.amity_json("sending", "status")
    assert (state["is_armed"], state["is_stopped"], state["goes_to"]) == (True, False, "mailbox")
    plan(home, range(1, 31))
    wait_for(lambda: counts(home) == {"sent": 30}, what="the first messages")
    assert mailbox(home) == 30
    assert home.amity_json("sending", "stop")["is_stopped"]
    plan(home, range(31, 41))
    time.sleep(0.5)
    assert counts(home) == {"sent": 30, "queued": 10}
    assert "by hand" in home.amity("sending", "status").stdout
    os.kill(home.find_process("amity.cli sender"), signal.SIGKILL)
    assert home.amity_json("sending", "resume")["queued"] == 10
    wait_for(lambda: counts(home) == {"sent": 40}, what="the rest, from another sender")
    assert mailbox(home) == 40
    assert home.stop() == 0

"""A link to the preferences that is too old, in a whole Amity: the new one comes by mail."""

import email
import re
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from email import policy

import pytest

from amity.infra import config, tokens
from amity.store import api as store
from amity.testing.chaos import connect
from amity.testing.installation import wait_for
from amity.testing.template import begin_with


@pytest.fixture
def home(tmp_path, template):
    made = begin_with(template, tmp_path / "one")
    yield made
    if made.process is not None and made.process.poll() is None:
        made.stop()


def ask(url, form=None):
    request = urllib.request.Request(url, data=form)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def rows(home, query):
    with connect(home) as connection:
        return connection.execute(query).fetchall()


def old_link(home, profile_id, address):
    with config.override(data=home.environment["AMITY_DATA"]):
        key = store.contact_key(channel="email", address=address)
        content = [profile_id, "email", key, "marketing.email", ""]
        over = datetime.now(UTC) - timedelta(days=1)
        return f"{home.edge}/p/{tokens.sign('preferences', content, expires_at=over)}"


def test_an_old_link_brings_a_new_one_by_mail_and_none_to_a_suppressed_address(home):
    home.start()
    write_key = home.amity_json("source", "create", "Shop", "--kind", "server")["write_key"]
    for user in ("ann", "bob"):
        traits = {"email": f"{user}@shop.example"}
        assert home.collect("identify", {"userId": user, "traits": traits}, write_key)[0] == 200
    people = dict(
        wait_for(
            lambda: (
                len(found := rows(home, "SELECT user_id, id FROM store_profile")) == 2 and found
            ),
            what="the customers",
        )
    )
    with config.override(data=home.environment["AMITY_DATA"]), connect(home) as connection:
        store.suppress(
            channel="email",
            address_key=store.contact_key(channel="email", address="bob@shop.example"),
            reason="manual",
            now=datetime.now(UTC),
            connection=connection,
        )
    for user in ("ann", "bob"):
        url = old_link(home, people[user], f"{user}@shop.example")
        status, page = ask(url)
        assert (status, "Send me a new link" in page) == (410, True)
        for _ in range(2):
            assert ask(url, b"action=ask")[0] == 200
    settled = "SELECT profile_id, state, reason FROM broadcast_send WHERE settled_at IS NOT NULL"
    states = wait_for(lambda: len(found := rows(home, settled)) == 2 and found, what="the ledger")
    assert sorted(states) == sorted(
        [(people["ann"], "sent", ""), (people["bob"], "suppressed", "suppressed")]
    )
    [[recipient, raw]] = rows(home, "SELECT recipient, raw FROM broadcast_mailbox")
    assert recipient == "ann@shop.example"
    mail = email.message_from_bytes(bytes(raw), policy=policy.default)
    text = mail.get_body(("plain",)).get_content()
    [link] = re.findall(r"http://\S+/p/[\w.-]+", text)
    status, page = ask(link)
    assert (status, "Your preferences" in page, "for a…@shop.example" in page) == (200, True, True)
    assert "List-Unsubscribe" not in mail
    assert home.stop() == 0

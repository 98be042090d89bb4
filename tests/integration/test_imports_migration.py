"""Moving in from Mautic, HubSpot and Mailchimp: nobody is mailed who had left."""

import io
import zipfile
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from amity.broadcast.logic.sending import fence, gate, ledger
from amity.infra import config
from amity.infra.database import transaction
from amity.store import api
from amity.store.connector import find_connector

NOW = datetime.now(UTC)
NOON = NOW.replace(hour=12, minute=0, second=0, microsecond=0)


@pytest.fixture(scope="module")
def counter():
    return iter(range(1, 1_000))


@pytest.fixture
def source_id(db):
    assert fence.arm_new_installation(now=NOW)
    with config.override(quiet_from=21, quiet_until=8, marketing_cap_count=0, smtp_url=""):
        yield api.create_source(name="Before", kind="server").source_id


def bring_in(content, source_id, connector):
    made = api.create_import(
        content=content if isinstance(content, bytes) else content.encode(),
        file_name="export",
        connector=connector,
        source_id=source_id,
    )
    done = api.run_import(import_id=made.import_id)
    assert (done.state, done.rejected) == ("finished", 0), done
    while api.fold_batch().events:
        pass
    return done


def archive(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name, content in members.items():
            made.writestr(f"export/{name}_members_export_1.csv", content)
    return file.getvalue()


def ruling(email, counter):
    """What the gate says of one marketing e-mail to that address, now."""
    profile = api.find_profile(kind="email", value=email)
    assert profile is not None, email
    key = api.contact_key(channel="email", address=email)
    new = ledger.NewSend(
        run_kind="service",
        contact_point=key,
        profile_id=profile.profile_id,
        message_class="marketing",
        purpose="marketing.email",
        step_key=str(next(counter)),
        content_id=1,
        planned_at=NOW,
        not_before=NOW - timedelta(minutes=1),
        not_after=NOW + timedelta(hours=72),
    )
    with transaction() as connection:
        api.ensure_contact_points(connection=connection, channel="email", address_keys=[key])
        ledger.queue_sends(connection, [new])
        (claimed,) = ledger.claim(connection, owner="a", limit=10, lease_seconds=60)[0]
        standing = fence.check(connection)
    candidate = gate.Candidate(claimed.send_id, claimed.token, profile.profile_id, key)
    told = gate.enter([candidate], owner="a", fence=standing, now=NOON)[claimed.send_id]
    assert (told.state == "wire") == (told.pass_token is not None)
    return told.reason or told.state


HEAD = "Email Address,First Name,OPTIN_TIME,CONFIRM_TIME,LAST_CHANGED,EUID,TAGS"
SUBSCRIBED = (
    f"{HEAD}\n"
    'ada@example.com,Ada,,2024-05-01 10:00:00,2025-01-02 08:00:00,e1,"""VIP"",""Tea"""\n'
    "undated@example.com,Un,,,2025-01-02 08:00:00,e9,\n"
)
UNSUBSCRIBED = (
    f"{HEAD},UNSUB_TIME,UNSUB_REASON\n"
    "grace@example.org,Grace,,2023-02-01 09:00:00,2025-03-04 12:00:00,e2,,2025-03-04 12:00:00,N\n"
    "angry@example.org,An,,2023-02-01 09:00:00,2025-03-04 12:00:00,e5,,,ABUSE\n"
)
CLEANED = (
    f"{HEAD},CLEAN_TIME\n"
    "alan@example.net,Alan,,2022-02-01 09:00:00,2024-06-07 06:00:00,e3,,2024-06-07 06:00:00\n"
)
NONSUBSCRIBED = f"{HEAD}\nbuyer@example.net,Bo,,2022-02-01 09:00:00,2024-06-07 06:00:00,e4,\n"
EXPECTED = {
    "ada@example.com": "wire",
    "undated@example.com": "no_consent",
    "grace@example.org": "objected",
    "angry@example.org": "objected",
    "alan@example.net": "suppressed",
    "buyer@example.net": "no_consent",
}


def test_mailchimp_brings_over_who_may_be_mailed_and_nobody_else(source_id, counter):
    whole = archive(
        subscribed=SUBSCRIBED,
        unsubscribed=UNSUBSCRIBED.replace(",N\n", ",NORMAL\n").replace(",,ABUSE", ",,SPAM_ABUSE"),
        cleaned=CLEANED,
        nonsubscribed=NONSUBSCRIBED,
    )
    bring_in(whole, source_id, "mailchimp")
    expected = EXPECTED | {"angry@example.org": "suppressed"}
    assert {email: ruling(email, counter) for email in expected} == expected
    ada = api.find_profile(kind="email", value="ada@example.com")
    assert ada.traits["mailchimp_tags"] == ["VIP", "Tea"]
    assert ada.consents["marketing.email"].at == datetime(2024, 5, 1, 10, tzinfo=UTC)
    # An older export, from when all of them were still subscribed, changes nothing.
    people = "".join(
        f"{email},X,,2021-01-01 09:00:00,2021-01-01 09:00:00,e,\n" for email in expected
    )
    older = bring_in(archive(subscribed=f"{HEAD}\n{people}"), source_id, "mailchimp")
    assert older.stored == 12
    agreed = expected | {"undated@example.com": "wire", "buyer@example.net": "wire"}
    assert {email: ruling(email, counter) for email in agreed} == agreed
    # The same archive again adds nothing, and does not undo what somebody has decided since.
    key = api.contact_key(channel="email", address="alan@example.net")
    api.lift_suppression(channel="email", address_key=key)
    assert bring_in(whole, source_id, "mailchimp").stored == 0
    assert ruling("alan@example.net", counter) == "wire"


def test_what_was_left_holds_for_whoever_has_the_address(source_id, counter):
    at = (NOW - timedelta(days=400)).isoformat()
    shop = api.create_source(name="Shop", kind="server").source_id
    events = [
        {"type": "identify", "userId": "u-7", "traits": {"email": "grace@example.org"}},
        {
            "type": "track",
            "userId": "u-7",
            "event": "Segment Consent Preference Updated",
            "properties": {"categoryPreferences": {"marketing.email": True}},
        },
    ]
    bodies = [msgspec.json.encode(event | {"timestamp": at}) for event in events]
    api.append_events(source_id=shop, events=bodies, now=NOW)
    while api.fold_batch().events:
        pass
    assert ruling("grace@example.org", counter) == "wire"
    left_at = (NOW - timedelta(days=30)).strftime("%Y-%m-%d %H:%M:%S")
    line = f"Grace@Example.org,G,,2023-02-01 09:00:00,{left_at},e2,,{left_at},N\n"
    content = f"{UNSUBSCRIBED.splitlines()[0]}\n{line}"
    made = api.create_import(
        content=content.encode(), file_name="x", connector="mailchimp", source_id=source_id
    )
    api.run_import(import_id=made.import_id)
    assert ruling("grace@example.org", counter) == "objected", "also before the fold"
    again = bodies[1].replace(at.encode(), NOW.isoformat().encode())
    api.append_events(source_id=shop, events=[again], now=NOW)
    while api.fold_batch().events:
        pass
    assert ruling("grace@example.org", counter) == "wire", "she has agreed anew since"


def test_hubspot_opt_outs_of_any_type_and_bounces_count(source_id, counter):
    bring_in(find_connector("hubspot").sample, source_id, "hubspot")
    expected = {
        "ada@example.com": "wire",
        "grace@example.org": "objected",
        "alan@example.net": "suppressed",
        "joan@example.net": "objected",
    }
    assert {email: ruling(email, counter) for email in expected} == expected
    ada = api.find_profile(kind="email", value="ada@example.com")
    assert ada.traits["hubspot_lists"] == ["Tea lovers", "VIP"]
    assert ada.traits["lifecycle_stage"] == "customer"
    older = find_connector("hubspot").sample.replace(",true,", ",,")
    bring_in(older.replace("UNKNOWN_USER", ""), source_id, "hubspot")
    assert {email: ruling(email, counter) for email in expected} == expected


def test_mautic_do_not_contact_counts_in_numbers_and_words(source_id, counter):
    bring_in(find_connector("mautic").sample, source_id, "mautic")
    report = (
        "email,reason,channel,dnc_date\n"
        "ada@example.com,manual,sms,2025-01-01 00:00:00\n"
        "odd@example.com,7,email,2025-01-01 00:00:00\n"
        "dora@example.com,Email: Unsubscribed,,\n"
    )
    bring_in(report, source_id, "mautic")
    expected = {
        "ada@example.com": "wire",
        "grace@example.org": "objected",
        "alan@example.net": "suppressed",
        "odd@example.com": "suppressed",
        "dora@example.com": "objected",
    }
    assert {email: ruling(email, counter) for email in expected} == expected
    older = "email,newsletter,consent_date\n" + "".join(
        f"{email},yes,2020-01-01 00:00:00\n" for email in expected
    )
    bring_in(older, source_id, "mautic")
    assert {email: ruling(email, counter) for email in expected} == expected

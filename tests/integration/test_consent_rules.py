"""Rules about consent follow the clock and the purposes; a refusal outlives a split."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from click.testing import CliRunner

from amity.analysis import api as analysis
from amity.cli.segment import segment as segment_command
from amity.infra.database import transaction
from amity.store import api as store
from amity.store import api_identity, hot
from amity.store.contracts import Choices

NOW = datetime.now(UTC).replace(microsecond=0)
MARKETING = "marketing.email"
MAY = {"node": "consent", "purpose": MARKETING}
SAID = {"node": "said_yes", "purpose": MARKETING}


@pytest.fixture
def shop(db):
    return Shop()


class Shop:
    def __init__(self):
        self.source_id = store.create_source(name="Shop", kind="server").source_id

    def define(self, name, rule):
        made = analysis.create_segment(name=name, rule=rule, by="t", now=NOW)
        self.follow(NOW)
        return made.segment_id

    def follow(self, now):
        while store.fold_batch().events or analysis.follow_batch(now=now).events:
            pass

    def send(self, *events):
        raw = [msgspec.json.encode(event) for event in events]
        assert store.append_events(source_id=self.source_id, events=raw, now=NOW).accepted
        self.follow(NOW)

    def consents(self, user, is_yes, purpose=MARKETING, **more):
        told = {"categoryPreferences": {purpose: is_yes}, **more}
        name = "Segment Consent Preference Updated"
        self.send({"type": "track", "userId": user, "event": name, "properties": told})

    def identify(self, user, **more):
        traits = {"email": f"{user}@x.example"}
        self.send({"type": "identify", "userId": user, "traits": traits, **more})

    def id_of(self, user):
        return store.find_profile(kind="user_id", value=user).profile_id

    def members(self, segment_id):
        held = analysis.list_members(segment_id=segment_id, limit=100).items
        return {one.profile_id for one in held}


def test_whoever_has_an_end_leaves_at_that_second_and_a_pause_ends_by_itself(shop):
    may, said = shop.define("May", MAY), shop.define("Said", SAID)
    for user in ("ann", "bob"):
        shop.identify(user)
    end = NOW + timedelta(hours=3)
    shop.consents("ann", True, expires_at=end.isoformat())
    shop.consents("bob", True)
    ann, bob = shop.id_of("ann"), shop.id_of("bob")
    assert shop.members(may) == shop.members(said) == {ann, bob}
    point = ("email", store.contact_key(channel="email", address="bob@x.example"))
    until = NOW + timedelta(hours=1)
    hot.pause_messages(profile_id=bob, point=point, until=until, evidence={}, now=NOW)
    shop.follow(NOW)
    assert shop.members(may) == {ann}
    shop.follow(until - timedelta(microseconds=1))
    assert shop.members(may) == {ann}
    shop.follow(until)
    assert shop.members(may) == {ann, bob}
    shop.follow(end - timedelta(microseconds=1))
    assert shop.members(may) == {ann, bob}
    shop.follow(end)
    assert shop.members(may) == {bob}
    assert shop.members(said) == {ann, bob}
    asked = CliRunner().invoke(segment_command, ["members", "Said", "--purpose", "sharing"])
    assert "Nobody is in it now" in asked.output
    asked = CliRunner().invoke(segment_command, ["members", "Said", "--purpose", MARKETING])
    assert "ann@x.example" in asked.output
    # By the clock on the wall his pause is not over.
    assert "bob@x.example" not in asked.output


def test_a_child_is_written_to_and_profiled_once_a_guardian_agrees_or_she_is_of_age(shop):
    may = shop.define("May", MAY)
    tomorrow = (NOW + timedelta(days=1)).date()
    born = tomorrow.replace(year=tomorrow.year - 16).isoformat()
    traits = {"email": "kim@x.example", "birthday": born}
    shop.send({"type": "identify", "userId": "kim", "traits": traits})
    shop.consents("kim", True)
    kim = shop.id_of("kim")

    def refused():
        asked = (MARKETING, "profiling", "sharing", "records")
        return [reasons(purpose, kim)[0] for purpose in asked]

    assert refused() == ["under_age", "under_age", "under_age", ""]
    assert shop.members(may) == set()
    # Neither she nor a page of hers is a guardian.
    page = store.create_source(name="Page", kind="browser").source_id
    told = {"categoryPreferences": {"guardian": True}}
    name = "Segment Consent Preference Updated"
    said = {"type": "track", "userId": "kim", "event": name, "properties": told}
    store.append_events(source_id=page, events=[msgspec.json.encode(said)], now=NOW)
    shop.follow(NOW)
    assert refused()[0] == "under_age"
    shop.consents("kim", True, "guardian", method="letter")
    assert refused() == ["", "", "no_consent", ""]
    assert shop.members(may) == {kim}
    shop.consents("kim", False, "guardian")
    assert refused()[0] == "under_age"
    assert shop.members(may) == set()
    shop.follow(NOW + timedelta(days=2))
    assert shop.members(may) == {kim}


def test_a_purpose_that_is_changed_moves_people_also_when_nobody_followed(shop):
    may = shop.define("May", {"node": "not", "of": {"node": "consent", "purpose": "profiling"}})
    for user in ("ann", "bob"):
        shop.identify(user)
    shop.consents("ann", True, "profiling")
    ann, bob = shop.id_of("ann"), shop.id_of("bob")
    assert shop.members(may) == set()
    before = store.get_purpose(key="profiling")
    strict = msgspec.structs.replace(before, basis="consent", needs_consent=True)
    store.save_purpose(purpose=strict, by="t", now=datetime.now(UTC))
    shop.follow(NOW)
    assert shop.members(may) == {bob}
    # Whoever is new meets the purpose as it is now.
    shop.identify("cid")
    assert shop.members(may) == {bob, shop.id_of("cid")}
    store.save_purpose(purpose=before, by="t", now=datetime.now(UTC))
    shop.follow(NOW)
    assert shop.members(may) == set()
    assert {ann, bob} <= {row.profile_id for row in store.list_profiles(limit=9).items}


def reasons(purpose, *ids):
    found = store.may_use(profile_ids=ids, purpose=purpose, now=NOW)
    return [found[each] for each in ids]


def test_a_no_by_a_link_holds_for_both_halves_of_a_split_and_after_a_rebuild(shop):
    shop.identify("ann", anonymousId="phone")
    shop.consents("ann", True, "sharing")
    ann = shop.id_of("ann")
    no = Choices(
        profile_id=ann,
        channel="email",
        address_key=store.contact_key(channel="email", address="ann@x.example"),
        choices={"sharing": False, "profiling": False},
        method="link",
    )
    store.state_choices(choices=no, now=NOW)
    shop.follow(NOW)
    api_identity.split_profile(
        profile_id=ann, identifiers=[("anonymous_id", "phone")], by="me", now=NOW
    )
    shop.follow(NOW)
    halves = shop.id_of("ann"), store.find_profile(kind="anonymous_id", value="phone").profile_id
    assert halves[0] != halves[1]
    for purpose in ("sharing", "profiling"):
        assert reasons(purpose, *halves) == ["objected"] * 2
    store.rebuild()
    halves = shop.id_of("ann"), store.find_profile(kind="anonymous_id", value="phone").profile_id
    assert reasons("sharing", *halves) == ["objected"] * 2


def test_taking_a_merge_back_leaves_consents_as_before_unless_something_was_refused(shop):
    shop.send({"type": "track", "event": "Seen", "anonymousId": "phone"})
    shop.identify("ann")
    shop.consents("ann", True, "sharing")
    with transaction() as connection:
        before = connection.execute("SELECT consents FROM store_profile ORDER BY id").fetchall()
    for refuses in (False, True):
        device = f"phone{'2' if refuses else ''}"
        shop.send({"type": "track", "event": "Seen", "anonymousId": device})
        shop.identify("ann", anonymousId=device)
        ann = shop.id_of("ann")
        if refuses:
            key = store.contact_key(channel="email", address="ann@x.example")
            no = Choices(
                profile_id=ann,
                channel="email",
                address_key=key,
                choices={"sharing": False},
                method="link",
            )
            store.state_choices(choices=no, now=datetime.now(UTC))
            shop.follow(NOW)
        merges = store.list_merges(profile_id=ann, refused=False).items
        (merge,) = [each for each in merges if each.undone_by is None]
        store.unmerge(merge_id=merge.merge_id, by="me", now=datetime.now(UTC))
        shop.follow(NOW)
        halves = shop.id_of("ann"), store.find_profile(kind="anonymous_id", value=device).profile_id
        if not refuses:
            with transaction() as connection:
                asked = "SELECT consents FROM store_profile ORDER BY id"
                assert connection.execute(asked).fetchall() == before
        assert reasons("sharing", *halves) == (["objected"] * 2 if refuses else ["", "no_consent"])

"""What another rule would do is said before it is saved, and comes true when it is."""

from datetime import UTC, datetime

import pytest
from tests.fixtures.segment_town import country_is, define, is_in, members, settle, settle_in

from amity.analysis import api as analysis
from amity.analysis import api_segment_tools
from amity.kernel.errors import Invalid, NotFound
from amity.store import api_outbound
from amity.store.contracts_outbound import ExportPlan
from amity.web.segments.uses import list_uses

NOW = datetime.now(UTC)


@pytest.fixture
def people(db):
    return settle_in({"country": land} for land in ["FR", "FR", "FR", "DE", "DE", "IT"])


def test_who_enters_and_leaves_is_what_then_happens(people):
    french = define("French", country_is("FR"))
    others = define("Others", {"node": "not", "of": is_in(french)})
    second = define("Others too", {"node": "any", "of": [is_in(others), country_is("XX")]})
    settle()
    wide = {"node": "any", "of": [country_is("DE"), country_is("IT")]}
    told = api_segment_tools.describe_impact(segment_id=french, rule=wide, now=NOW)
    assert (told.changed.members, told.changed.entering, told.changed.leaving) == (3, 3, 3)
    assert told.changed.after == 3
    assert sorted(told.examples_entering) == sorted(people[3:])
    assert sorted(told.examples_leaving) == sorted(people[:3])
    assert [each.kind for each in told.differences] == ["changed", "added"]
    foreseen = {each.segment_id: (each.entering, each.leaving) for each in told.dependants}
    assert foreseen == {others: (3, 3), second: (3, 3)}
    assert analysis.get_segment(segment_id=french).rule == country_is("FR")

    analysis.update_segment(segment_id=french, rule=wide, by="t", now=datetime.now(UTC))
    settle()
    inside = {key: members(key) for key in (french, others, second)}
    assert inside[french] == set(people[3:])
    assert inside[others] == inside[second] == set(people[:3])


def test_an_equal_rule_changes_nothing_and_a_wrong_one_is_refused(people):
    french = define("French", country_is("FR"))
    user = define("User", is_in(french))
    settle()
    told = api_segment_tools.describe_impact(segment_id=french, rule=country_is("FR"), now=NOW)
    assert (told.changed.entering, told.changed.leaving, told.differences) == (0, 0, [])
    with pytest.raises(Invalid, match="its own segment"):
        api_segment_tools.describe_impact(segment_id=french, rule=is_in(user), now=NOW)
    with pytest.raises(NotFound):
        api_segment_tools.describe_impact(segment_id=999, rule=country_is("FR"), now=NOW)


def test_everything_that_uses_a_segment_is_found(people):
    from amity.personalization import api as personalization

    french = define("French", country_is("FR"))
    user = define("User", is_in(french))
    placement = personalization.create_placement(
        key="home", kind="offers", name="Home", by="t", now=NOW
    )
    personalization.create_offer(
        key="hello",
        name="Hello",
        headline="Hello",
        placement_ids=[placement.placement_id],
        rule={"node": "all", "of": [is_in(french)]},
        by="t",
        now=NOW,
    )
    api_outbound.create_export(
        plan=ExportPlan(
            name="Weekly",
            segment_id=french,
            destination="csv",
            columns=["profile_id"],
            purpose="records",
        ),
        by="t",
    )
    found = [(use.kind, use.name) for use in list_uses([french])]
    assert found == [
        ("segment", "User"),
        ("offer", "Hello"),
        ("placement", "Home"),
        ("export", "Weekly"),
    ]
    assert [(use.kind, use.name) for use in list_uses([user])] == []

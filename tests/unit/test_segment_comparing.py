"""What differs between two rules, in words."""

from amity.analysis.logic.segment_tools.comparing import compare_rules
from amity.rules import decode_rule


def is_(field, op, **values):
    return {"node": "check", "field": f"trait.{field}", "is": {"op": op, **values}}


def all_(*of):
    return {"node": "all", "of": list(of)}


def any_(*of):
    return {"node": "any", "of": list(of)}


FR = is_("country", "eq", value="FR")
DE = is_("country", "eq", value="DE")
OLD = is_("age", "gte", value=60)
BOUGHT = {"node": "did", "event": "Order Completed", "within_days": 30}


def diff(before, after):
    found = compare_rules(decode_rule(before), decode_rule(after), {})
    return [(each.kind, each.before, each.after, each.inside) for each in found]


def test_equal_rules_differ_in_nothing_however_they_are_nested():
    assert diff(all_(FR, OLD), all_(OLD, FR)) == []
    assert diff(FR, all_(FR)) == []
    assert diff(all_(all_(FR, OLD)), all_(FR, OLD)) == []
    assert diff(BOUGHT, {**BOUGHT, "at_least": 1}) == []
    assert diff({"node": "not", "of": {"node": "not", "of": FR}}, FR) == []


def test_a_condition_is_added_removed_or_changed():
    assert diff(FR, all_(FR, OLD)) == [("added", "", "age is at least 60", "")]
    assert diff(all_(FR, OLD), FR) == [("removed", "age is at least 60", "", "")]
    changed = [("changed", "country is “FR”", "country is “DE”", "")]
    assert diff(all_(FR, BOUGHT), all_(BOUGHT, DE)) == changed
    longer = {**BOUGHT, "within_days": 90}
    [(kind, before, after, _)] = diff(BOUGHT, longer)
    assert (kind, "30 days" in before, "90 days" in after) == ("changed", True, True)


def test_what_is_about_something_else_is_removed_and_added():
    viewed = {"node": "did", "event": "Product Viewed", "within_days": 30}
    kinds = [each[0] for each in diff(all_(FR, BOUGHT), all_(FR, viewed))]
    assert kinds == ["removed", "added"]


def test_changes_inside_groups_say_where():
    before, after = all_(OLD, any_(FR, BOUGHT)), all_(OLD, any_(DE, BOUGHT))
    assert diff(before, after) == [
        ("changed", "country is “FR”", "country is “DE”", "at least one of")
    ]
    assert diff(all_(FR, OLD), any_(FR, OLD)) == [
        ("changed", "all of these", "at least one of these", "")
    ]
    not_fr = {"node": "not", "of": FR}
    [(kind, old, new, _)] = diff(all_(FR, OLD), all_(not_fr, OLD))
    assert (kind, old) == ("changed", "country is “FR”")
    assert new != old


def test_true_and_one_are_not_the_same():
    one, true = is_("vip", "eq", value=1), is_("vip", "eq", value=True)
    assert [each[0] for each in diff(one, true)] == ["changed"]

"""Rules as commands take them."""

import pytest

from amity.cli.rule_input import read_rule


def rule_of(many):
    return " and ".join(f'did "Event {number}"' for number in range(many))


@pytest.mark.parametrize("many", [2, 30, 499])
def test_a_rule_may_be_longer_than_the_name_of_a_file(db, many):
    assert len(read_rule(rule_of(many))["of"]) == many


def test_a_file_is_read_by_its_name_also_with_a_space(db, tmp_path):
    path = tmp_path / "my rule.txt"
    path.write_text(rule_of(3))
    assert len(read_rule(str(path))["of"]) == 3

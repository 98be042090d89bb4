"""A rule about what nobody has, a file with a wrong column: said in words, on the command line."""

import json

from amity.testing.chaos import connect
from amity.testing.installation import wait_for

NOBODY = json.dumps({"node": "check", "field": "trait.shoe_size", "is": {"op": "gt", "value": 44}})


def test_a_rule_naming_a_trait_nobody_has_says_so_and_matches_nobody(installation, source):
    event = {"userId": "somebody", "traits": {"country": "FR"}, "messageId": "somebody"}
    assert installation.collect("identify", event, source["write_key"])[0] == 200
    found = installation.amity_json("segment", "preview", "--rule", NOBODY)
    assert found["members"] == 0
    assert found["warnings"] == ["nobody has the trait “shoe_size”"]
    installation.amity("segment", "create", "Big feet", "--rule", NOBODY)
    assert installation.amity_json("segment", "count", "Big feet")["members"] == 0
    # The same rule does find somebody once there is one, so it is not simply broken.
    event = {"userId": "somebody", "traits": {"shoe_size": 45}, "messageId": "feet"}
    assert installation.collect("identify", event, source["write_key"])[0] == 200
    with connect(installation) as connection:
        wait_for(
            lambda: connection.execute(
                "SELECT 1 FROM store_activity WHERE name = 'Segment Entered'"
                " AND properties ->> 'segment_name' = 'Big feet'"
            ).fetchone(),
            what="the member",
            seconds=60,
        )
    assert installation.amity_json("segment", "count", "Big feet")["members"] == 1


def test_a_file_with_a_wrong_column_or_wrong_rows(installation, source, tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("Mail,Land\nbob@shop.example,FR\nnot an email,FR\nsue@shop.example,DE\n")
    command = ("import", str(path), "--connector", "customers", "--source", source["name"])
    refused = installation.amity(*command, "--map", "Post=email", check=False)
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert "Post" in refused.stderr
    done = installation.amity_json(*command, "--map", "Mail=email", "--map", "Land=country")
    assert (done["state"], done["stored"], done["rejected"]) == ("finished", 2, 1)
    (problem,) = done["problems"]
    assert problem["row"] == 2
    assert "not an email" in problem["reason"]

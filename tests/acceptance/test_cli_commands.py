"""The command line as people and programs call it, against a real database."""

import io
import json
import os
import subprocess
import sys

import pytest

from amity.cli.main import COMMANDS, main
from amity.infra import config


def start(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "amity.cli", *arguments],
        capture_output=True,
        text=True,
        env=config.environment() | environment,
        check=False,
    )


def test_help_loads_no_engine():
    done = start("--help")
    assert done.returncode == 0
    for name, (_, text, hidden) in COMMANDS.items():
        assert (f"  {name} " in done.stdout) is not hidden
        assert hidden or text in done.stdout
    code = "import sys, amity.cli.main; sys.exit(bool({'django', 'psycopg'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["stats"],
        ["source", "list"],
        ["key", "list"],
        ["profile", "show", "email:a@b.example"],
        ["segment", "list"],
        ["events"],
        ["quarantine", "list"],
        ["sign-in-link"],
        ["rebuild"],
        ["scores", "refresh"],
    ],
)
def test_says_plainly_that_nothing_runs(arguments, tmp_path, capsys):
    with config.override(data=tmp_path / "nowhere", database_url=""):
        os.environ.pop("AMITY_DATABASE_URL", None)
        config.settings.cache_clear()
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--json"])
    printed = capsys.readouterr()
    assert ended.value.code == 1
    assert printed.out == ""
    failure = json.loads(printed.err)
    assert failure["code"] == "not_running"
    assert "start it with `amity up`" in failure["message"]
    assert not (tmp_path / "nowhere").exists()


def test_wrong_use_is_said_on_stderr_with_status_2(amity):
    code, out, err = amity("source", "create")
    assert (code, out) == (2, "")
    assert err.startswith("amity: Missing argument 'NAME'")
    code, out, err = amity("source", "create", "x", "--kind", "wrong", "--json")
    assert (code, out) == (2, "")
    assert json.loads(err)["code"] == "usage"
    code, out, err = amity("nonsense")
    assert (code, out) == (2, "")


def test_source_from_creation_to_rotation(amity, document):
    made = document("source", "create", "web shop", "--kind", "server")
    assert made["name"] == "web shop"
    assert made["source_id"] >= 100
    assert len(made["write_key"]) >= 40
    rotated = document("source", "rotate", "web shop")
    assert rotated["write_key"] not in ("", made["write_key"])
    assert document("source", "disable", "web shop")["is_enabled"] is False
    assert document("source", "enable", "web shop")["is_enabled"] is True
    listed = {row["name"]: row for row in document("source", "list")}
    assert listed["web shop"]["write_key"] == rotated["write_key"]
    assert listed["web shop"]["events"]["received"] == 0
    code, out, err = amity("source", "create", "web shop")
    assert (code, out) == (1, "")
    assert err.startswith("amity: ")
    assert json.loads(amity("source", "rotate", "nobody", "--json")[2])["code"] == "not_found"
    code, out, _ = amity("source", "list")
    assert code == 0
    assert out.splitlines()[0].split()[:3] == ["ID", "NAME", "KIND"]
    assert "web shop" in out


def test_key_is_shown_once_and_can_be_revoked(amity, document):
    made = document("key", "create", "reports", "--scope", "profiles:read", "--scope", "stats:read")
    assert made["scopes"] == ["profiles:read", "stats:read"]
    _, listed, _ = amity("key", "list", "--json")
    assert made["key"] not in listed
    assert [row["name"] for row in json.loads(listed)] == ["reports"]
    document("key", "revoke", str(made["key_id"]))
    assert document("key", "list")[0]["revoked_at"] is not None
    code, _, err = amity("key", "create", "x", "--scope", "everything")
    assert code == 1
    assert "unknown scope everything" in err


def test_sign_in_link_is_the_only_thing_printed(amity, document):
    code, out, _ = amity("sign-in-link")
    assert code == 0
    assert out.startswith(f"http://127.0.0.1:{config.settings().web_port}/sign-in/link/")
    assert out.count("\n") == 1
    assert document("sign-in-link")["username"] == "admin"


def test_rule_comes_written_out_from_a_file_or_from_standard_input(
    amity, db, tmp_path, monkeypatch
):
    from amity.cli.rule_input import read_rule

    rule = {"node": "check", "field": "trait.country", "is": {"op": "eq", "value": "FR"}}
    for written in ("country is FR", json.dumps(rule)):
        path = tmp_path / "rule"
        path.write_text(written)
        assert read_rule(written) == read_rule(str(path)) == rule
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(written.encode())))
        assert read_rule("-") == rule
    for wrong, reason in (('{"node"', "not JSON"), ("country was FR", "expected a test")):
        code, _, err = amity("segment", "preview", "--rule", wrong)
        assert code == 1
        assert reason in err
    assert amity("segment", "preview", "--rule", str(tmp_path / "none.json"))[0] == 1
    assert "country is “FR”" in amity("segment", "preview", "--rule", "country is FR")[1]


def test_events_are_followed_one_object_a_line(db):
    from datetime import UTC, datetime

    from amity.infra import database
    from amity.store import api

    code = (
        "import sys; from amity.infra import database; from amity.cli.main import main;"
        f"database.use_database({database.database_name()!r}); main(['events','--follow','--json'])"
    )
    following = subprocess.Popen(
        [sys.executable, "-u", "-c", code], stdout=subprocess.PIPE, env=config.environment()
    )
    try:
        source = api.create_source(name="shop", kind="server")
        for number in range(3):
            event = {
                "type": "track",
                "userId": "u",
                "event": f"E{number}",
                "messageId": f"{number}",
            }
            api.append_events(
                source_id=source.source_id,
                events=[json.dumps(event).encode()],
                now=datetime.now(UTC),
            )
        lines = [json.loads(following.stdout.readline()) for _ in range(3)]
        assert [line["name"] for line in lines] == ["E0", "E1", "E2"]
    finally:
        following.kill()
        following.wait()
        following.stdout.close()

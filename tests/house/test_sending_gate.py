"""No path but the gate leads to the wire (rules D21, T29): who may write `wire`, and open sockets.

Each look at the code has a control beside it: a breach made up for it, which it must find.
"""

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from amity.kernel.errors import Invalid

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "amity"
GATE = "broadcast/logic/sending/gate.py"
GATE_QUERIES = "broadcast/sql/gate.sql"
SETTLING = "ledger_settle"
CHANNEL = "broadcast/channels/email.py"
CONNECTION = "broadcast/logic/mail/smtp.py"
SENDER = "broadcast/logic/sending/sender.py"
STAFF_MAIL = "broadcast/logic/sending/staff_mail.py"
STAFF_ACCOUNTS = "web/staff/addresses.py"

# Whoever opens a way to another machine or process, and for what.
OPENS = {
    CONNECTION: {"create_connection"},
    # The one way to hosts that somebody named; the bare socket asks which addresses are our own.
    "infra/egress.py": {"create_connection", "HTTPConnection", "socket.socket"},
    # Reads mailboxes; its sockets are those egress opened.
    "store/logic/mail/fetching.py": {"imaplib"},
    "cli/supervisor.py": {"urlopen"},  # asks our own processes whether they are ready
    "cli/demo/client.py": {"HTTPConnection"},  # fills our own collector for the demo
}
WAYS_OUT = {
    *("create_connection", "open_connection", "open_unix_connection", "create_unix_connection"),
    *("create_datagram_endpoint", "sock_connect", "urlopen", "HTTPConnection", "HTTPSConnection"),
    *("SMTP_SSL", "LMTP", "socketpair"),
}
CLIENTS = {
    *("smtplib", "aiosmtplib", "ftplib", "telnetlib", "imaplib", "poplib", "nntplib", "httpx"),
    *("aiohttp", "requests", "urllib3", "websockets", "boto3", "pycurl"),
}


@cache
def modules() -> dict[str, ast.Module]:
    """All of the house, read once; nobody changes what is returned."""
    return {
        str(path.relative_to(SOURCE)): ast.parse(path.read_text("utf-8"))
        for path in sorted(SOURCE.rglob("*.py"))
        if "testing" not in path.parts
    }


@cache
def statements() -> tuple[tuple[str, str, str], ...]:
    return tuple(_iter_statements())


def _iter_statements() -> Iterator[tuple[str, str, str]]:
    """All SQL: queries by file and name, and texts in the code that speak of the ledger."""
    for path in sorted(SOURCE.rglob("*.sql")):
        if "migrations" in path.parts:
            continue
        parts = re.split(r"^-- name: (\w+)$", path.read_text("utf-8"), flags=re.MULTILINE)
        for name, text in zip(parts[1::2], parts[2::2], strict=True):
            yield str(path.relative_to(SOURCE)), name, re.sub(r"--[^\n]*", "", text)
    for name, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and "broadcast_send" in str(node.value):
                yield name, "", str(node.value)


def find_wire_writers(sql: list[tuple[str, str, str]]) -> set[tuple[str, str]]:
    """Name the statements that may put a row on the wire, or that take a state from outside."""
    found = set()
    for place, name, text in sql:
        if not re.search(r"\b(UPDATE|INSERT INTO|MERGE INTO|COPY)\s+broadcast_send\b", text):
            continue
        settings = re.findall(
            r"UPDATE\s+broadcast_send\b.*?\bSET\b(.*?)(?=\bFROM\b|\bWHERE\b|\bRETURNING\b|\Z)",
            text,
            re.DOTALL,
        )
        is_given = any(re.search(r"(?<!\w)state = (?:\w+\.state|%)", each) for each in settings)
        says_wire = any("'wire'" in clause for clause in map(_without_tests, settings))
        values = re.findall(r"INSERT INTO broadcast_send\b(.*)", text, re.DOTALL)
        makes_wire = re.search(r"(THEN|ELSE|SELECT|,|\()\s*'wire'", " ".join(values)) is not None
        computed = re.search(r"(THEN|ELSE)\s*'wire'", text) is not None
        if says_wire or makes_wire or computed or is_given:
            found.add((place, name))
    return found


def _without_tests(clause: str) -> str:
    return re.sub(r"(WHEN [^']*= 'wire')|(IN \([^)]*\))", "", clause)


def test_only_the_gate_puts_a_row_on_the_wire():
    found = find_wire_writers(list(statements()))
    # A claim is told `claimed`, `expired` or `failed`, and settling what its type allows; below.
    assert found == {
        (GATE_QUERIES, "gate_judge"),
        ("broadcast/sql/ledger.sql", "ledger_claim"),
        ("broadcast/sql/ledger.sql", SETTLING),
        ("broadcast/sql/messages.sql", "messages_resolve"),
    }


@pytest.mark.parametrize(
    "breach",
    [
        "UPDATE broadcast_send SET state = 'wire' WHERE id = %s",
        "UPDATE broadcast_send s SET state = %(state)s WHERE id = 1",
        "UPDATE broadcast_send s SET reason = '', state = CASE WHEN a THEN 'wire' ELSE 'b' END",
        "INSERT INTO broadcast_send (id, state) SELECT 1, 'wire'",
        "INSERT INTO broadcast_send (id, state) VALUES (1, 'wire')",
        "WITH x AS (SELECT 'a' AS state) UPDATE broadcast_send s SET state = x.state FROM x",
    ],
)
def test_the_look_at_statements_finds_a_breach(breach):
    assert find_wire_writers([("somewhere.sql", "some", breach)]) == {("somewhere.sql", "some")}


def test_the_look_at_statements_lets_questions_pass():
    asked = "SELECT 1 FROM broadcast_send WHERE state IN ('wire', 'sent')"
    ended = "UPDATE broadcast_send SET state = 'unknown' WHERE state = 'wire'"
    assert find_wire_writers([("a", "b", asked), ("a", "c", ended)]) == set()


def test_nobody_can_settle_or_resolve_to_the_wire():
    from typing import get_args, get_type_hints

    from amity.broadcast.logic.sending.ledger import Settlement

    settled = set(get_args(get_type_hints(Settlement)["state"]))
    assert settled == {"sent", "failed", "unknown", "queued"}
    claim = next(text for _, name, text in statements() if name == "ledger_claim")
    told = re.search(r"verdict AS \((.*?)\n\)", claim, re.DOTALL)
    assert told is not None
    assert set(re.findall(r"(?:THEN|ELSE) '(\w+)'", told[1])) == {"expired", "failed", "claimed"}


@pytest.mark.parametrize("state", ["wire", "queued", "claimed", "unknown", "", "sent; --"])
def test_what_is_in_doubt_is_not_resolved_to_what_leaves_again(state):
    from uuid import UUID

    from amity.broadcast import api

    with pytest.raises(Invalid):
        api.resolve_unknown(send_id=UUID(int=1), state=state, by="me", now=datetime.now(UTC))


def find_openings(trees: dict[str, ast.Module]) -> dict[str, set[str]]:
    """Name, by module, what it calls or imports that leads out of the process."""
    found: dict[str, set[str]] = {}
    for place, tree in trees.items():
        for node in ast.walk(tree):
            names: set[str] = set()
            if isinstance(node, ast.Attribute | ast.Name):
                name = node.attr if isinstance(node, ast.Attribute) else node.id
                names = {name} & WAYS_OUT
                if name == "socket" and ast.unparse(node) == "socket.socket":
                    names = {"socket.socket"}
            elif isinstance(node, ast.Import | ast.ImportFrom):
                named = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                named += [each.name for each in node.names]
                names = {name for name in named if name.partition(".")[0] in CLIENTS}
            if names:
                found.setdefault(place, set()).update(names)
    return found


def test_only_the_mail_connection_and_the_one_way_out_reach_out():
    assert find_openings(modules()) == OPENS


@pytest.mark.parametrize(
    "breach",
    [
        "import smtplib",
        "from smtplib import SMTP",
        "import aiosmtplib as mail",
        "import requests.sessions",
        "import socket\nsocket.create_connection(('mail.example', 25))",
        "import socket\ns = socket.socket()",
        "async def f(loop):\n    await loop.create_connection(p, 'mail.example', 25)",
        "import asyncio\nasync def f():\n    await asyncio.open_connection('mail.example', 25)",
    ],
)
def test_the_look_at_modules_finds_a_breach(breach):
    assert find_openings({"x.py": ast.parse(breach)})


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def find_callers(trees: dict[str, ast.Module], *names: str) -> set[str]:
    """Name the modules that call one of these, by whatever way they come to it."""
    return {
        place
        for place, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and (node.func.attr if isinstance(node.func, ast.Attribute) else _name(node.func)) in names
    }


def test_only_the_gate_makes_tokens_and_only_the_sender_asks_it():
    trees = modules()
    assert find_callers(trees, "GateToken") == {GATE}
    assert find_callers(trees, "SmtpConnection") == {CHANNEL}
    askers = {
        place
        for place, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr == "enter"
        and ast.unparse(node) == "gate.enter"
    }
    assert askers == {SENDER}


def test_staff_mail_has_its_own_gate_and_goes_to_the_accounts_of_staff_alone():
    trees = modules()
    assert find_callers(trees, "enter_staff") | find_mentions(trees, "enter_staff") == {STAFF_MAIL}
    assert find_callers(trees, "StaffAddress") == {STAFF_ACCOUNTS}
    # Where the addresses of customers are known, nobody can write to staff, nor the other way.
    for place in (STAFF_MAIL, STAFF_ACCOUNTS):
        told = ast.unparse(trees[place])
        assert "amity.store" not in told
        assert "contact_point" not in told
    writers = {
        (place, name)
        for place, name, text in statements()
        if "broadcast_staff_mail" in text and "'wire'" in re.sub(r"WHERE[^;]*", "", text)
    }
    assert writers == {(GATE_QUERIES, "gate_enter_staff")}


def find_mentions(trees: dict[str, ast.Module], name: str) -> set[str]:
    """Name the modules that speak of something of another, such as `gate.enter`."""
    return {
        place
        for place, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == name
    }


def test_the_end_of_a_message_is_written_in_one_place_and_after_its_token():
    places = []
    for place, tree in modules().items():
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = [
                    node.lineno
                    for node in ast.walk(function)
                    if isinstance(node, ast.Constant)
                    and isinstance(node.value, bytes)
                    and node.value.endswith(b".\r\n")
                ]
                if lines:
                    places.append((place, function, lines))
    assert [(place, function.name) for place, function, _ in places] == [(CONNECTION, "_hand_over")]
    _, function, (written,) = places[0]
    used = [
        node.lineno
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "token.use"
    ]
    assert used
    assert max(used) < written

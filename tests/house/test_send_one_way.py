"""There is one way onto the wire (T29): one statement, one maker of tokens, one client."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2] / "src" / "amity"
# What counts, waits or reads may name the state; only the gate may write it.
WRITES = re.compile(r"SET state = 'wire'|THEN 'wire'")


def calls(tree, name):
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and (getattr(node.func, "id", None) or getattr(node.func, "attr", None)) == name
    ]


def sources(*, testing=False):
    for path in sorted(ROOT.rglob("*.py")):
        if testing or "testing" not in path.parts:
            yield path, ast.parse(path.read_text("utf-8"))


def test_only_the_gate_writes_wire():
    found = [
        path.relative_to(ROOT).as_posix()
        for path in sorted(ROOT.rglob("*"))
        if path.suffix in {".sql", ".py"}
        and "testing" not in path.parts
        and WRITES.search(path.read_text("utf-8"))
    ]
    assert found == ["broadcast/sql/gate.sql"]


def test_only_the_gate_makes_tokens():
    makers = [path.name for path, tree in sources() if calls(tree, "GateToken")]
    assert makers == ["gate.py"]


def test_only_the_smtp_client_opens_connections_to_mail_servers():
    found = {
        path.relative_to(ROOT).as_posix()
        for path, tree in sources()
        if "broadcast" in path.parts
        and (calls(tree, "create_connection") or calls(tree, "open_connection"))
    }
    assert found == {"broadcast/logic/smtp.py"}
    for path, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] + [getattr(node, "module", "") or ""]
                assert not {"smtplib", "aiosmtplib"} & set(names), path

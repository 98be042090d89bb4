"""The generated reference says what the code does."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "reference"


@pytest.fixture
def pages(server):
    from amity.cli.reference import make_pages

    return make_pages()


def test_the_written_pages_are_those_the_code_gives(pages):
    stale = [
        name
        for name, text in pages.items()
        if not (FOLDER / name).exists() or (FOLDER / name).read_text("utf-8") != text
    ]
    assert not stale, "run `make docs`"
    assert {path.name for path in FOLDER.glob("*.md")} == set(pages)


def test_every_setting_command_route_operator_and_event_is_in_it(pages):
    from amity.analysis import api_reports
    from amity.analysis import contracts as analysis
    from amity.cli.main import COMMANDS
    from amity.infra.config import Settings
    from amity.rules import list_operators
    from amity.store import contracts_events as store
    from amity.web.api.table import TABLE

    for field in msgspec.structs.fields(Settings):
        assert f"`AMITY_{field.name.upper()}`" in pages["settings.md"]
    for name, (_, _, hidden) in COMMANDS.items():
        assert hidden or f"## `amity {name}" in pages["cli.md"]
    for route in TABLE:
        assert f"`{route.method} {route.path}`" in pages["api.md"]
    for words in api_reports.describe_reports():
        assert f"`{words.name}`. {words.question}\n\n**How it is counted.** " in pages["reports.md"]
        assert words.definition.strip() in pages["reports.md"]
    for info in list_operators():
        assert f"| `{info.op}` |" in pages["operators.md"]
    for event in (*store.EVENTS, *analysis.EVENTS):
        assert f"### {event.name}\n" in pages["events.md"]


def test_every_event_an_engine_knows_by_name_is_in_its_contracts():
    from amity.analysis import contracts as analysis
    from amity.analysis.logic import following_changes
    from amity.analysis.logic.behaviour import answers
    from amity.store import contracts_claims as claims
    from amity.store import contracts_requests as requests
    from amity.store.contracts_events import EVENTS
    from amity.store.logic.consent import choices, pausing, statements
    from amity.store.logic.folding import batch, fold, orders
    from amity.store.logic.importing import leaving
    from amity.store.logic.mail import reading as mail_reading
    from amity.store.logic.outbound.message import ABOUT_NOBODY
    from amity.store.logic.telling import calls

    known = {
        *orders.ORDER_EVENTS,
        *statements.CONSENT_EVENTS,
        *fold._NAMES.values(),
        batch.MERGED,
        batch.UNMERGED,
        batch.JOINED,
        batch.CONFIRMED,
        batch.SPLIT,
        batch.UNSPLIT,
        choices.LINK_REQUESTED,
        leaving.LEFT,
        statements.CONSENT_REQUESTED,
        pausing.PAUSED,
        pausing.RESUMED,
        calls.CALL_STARTED,
        calls.CALL_ENDED,
        mail_reading.EMAIL_RECEIVED,
        mail_reading.BOUNCE_RECEIVED,
        mail_reading.COMPLAINT_RECEIVED,
        *ABOUT_NOBODY,
        claims.TRAIT_ASSERTED,
        claims.TRAIT_EXPIRED,
        claims.TRAIT_RESOLVED,
        requests.REQUEST_RECEIVED,
        requests.REQUEST_CLOSED,
        requests.REQUEST_MESSAGE,
        *statements.RESTRICTION_EVENTS,
    }
    assert {event.name for event in EVENTS} == known
    recorded = {following_changes.ENTERED, following_changes.LEFT}
    understood = {answers.ASKED, answers.ANSWERED}
    assert {event.name for event in analysis.EVENTS} == recorded | understood


def test_the_check_finds_what_is_out_of_date(server, tmp_path):
    from click.testing import CliRunner

    from amity.cli.reference import reference
    from amity.kernel.errors import AmityError

    run = CliRunner().invoke
    assert run(reference, ["--write", str(tmp_path)]).exit_code == 0
    assert run(reference, ["--check", str(tmp_path)]).exit_code == 0
    page = tmp_path / "settings.md"
    page.write_text(page.read_text("utf-8").replace("Port of the collector", "Door"), "utf-8")
    failed = run(reference, ["--check", str(tmp_path)])
    assert isinstance(failed.exception, AmityError)
    assert "settings.md" in failed.exception.message


def commands_in_documents() -> Iterator[tuple[Path, str]]:
    """Each `amity …` in the documents, a line of its own or in the text, marks left out."""
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")):
        text = re.sub(r"\\\n\s*", " ", page.read_text("utf-8"))
        for said in re.findall(
            r"`(amity [a-z][^`\n]*)`|^\s*(amity [a-z][^\n]*)$", text, re.MULTILINE
        ):
            yield page, re.sub(r"[\[\]…]", "", "".join(said))


def find_unknown(root: click.Group, line: str) -> str:
    """Return the first command or option of a line that does not exist, or "" for none."""
    command: click.Command = root
    context = click.Context(root)
    words = shlex.split(line, comments=True)[1:]
    while words and isinstance(command, click.Group) and re.fullmatch(r"[a-z][a-z-]*", words[0]):
        found = command.get_command(context, words[0])
        if found is None:
            return words[0]
        command, words = found, words[1:]
    known = {
        name for each in command.get_params(context) for name in each.opts + each.secondary_opts
    }
    options = (re.match(r"--[a-z-]+", word) for word in words)
    return next((each[0] for each in options if each and each[0] not in {*known, "--"}), "")


def test_commands_in_documents_exist():
    from amity.cli.main import root

    commands = list(commands_in_documents())
    assert len(commands) > 100
    unknown = {(page.name, line) for page, line in commands if find_unknown(root, line)}
    assert not unknown
    assert find_unknown(root, "amity segment create X --rule x") == ""
    assert find_unknown(root, "amity segment make X") == "make"
    assert find_unknown(root, "amity segment create X --rulle x") == "--rulle"

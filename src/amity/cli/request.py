"""`amity request`: what customers asked for about their data, and the copies made for them."""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import click

from amity.cli.output import json_option, print_facts, print_json, print_table
from amity.cli.running import needs_database
from amity.kernel.errors import Conflict
from amity.store.contracts_requests import Due, RequestFilter, RequestKind, RequestState

_BY = "command line"


@click.group()
def request() -> None:
    """See data requests of customers, and hand out copies."""


@request.command(name="list")
@click.option("--kind", type=click.Choice(get_args(RequestKind)), help="Only one kind.")
@click.option("--state", type=click.Choice([*get_args(RequestState), "open"]), help="Only these.")
@click.option("--due", type=click.Choice(get_args(Due)), help="Only what presses.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True)
@click.option("--cursor", help="Go on after an earlier page.")
@json_option
@needs_database
def list_(  # one option a filter
    *,
    kind: RequestKind | None,
    state: RequestState | None,
    due: Due | None,
    limit: int,
    cursor: str | None,
    as_json: bool,
) -> None:
    """List requests: the open ones by their deadline, then the latest closed ones."""
    from amity.store import api_requests

    filters = RequestFilter(kind=kind or "", state=state or "", due=due or "")
    page = api_requests.list_requests(
        filters=filters, now=datetime.now(UTC), cursor=cursor, limit=limit
    )
    if as_json:
        print_json(page)
        return
    print_table(
        ("ID", "KIND", "STATE", "WHOSE", "RECEIVED", "DUE"),
        [
            (
                str(each.request_id),
                each.kind,
                each.state,
                f"profile {each.profile_id}" if each.profile_id else each.address or "erased",
                each.received_at,
                each.due_at,
            )
            for each in page.items
        ],
        empty="Nobody has asked.",
    )
    if page.next_cursor:
        click.echo(f"\nmore: --cursor {page.next_cursor}")


@request.command()
@click.argument("request_id", type=click.IntRange(1, 2**63 - 1))
@json_option
@needs_database
def show(request_id: int, *, as_json: bool) -> None:
    """Show one request and what was done about it."""
    from amity.store import api_requests

    whole = api_requests.get_request(request_id=request_id)
    if as_json:
        print_json(whole)
        return
    one = whole.request
    print_facts(
        [
            ("Request", f"{one.kind} {one.request_id}"),
            ("State", one.state),
            ("Whose", f"profile {one.profile_id}" if one.profile_id else one.address or "erased"),
            ("Came by", one.came_by),
            ("Identity", one.verified_by or "not shown yet"),
            ("Received", one.received_at),
            ("Due", one.due_at),
            ("Closed", one.closed_at),
            ("Wish", one.wish),
            ("Outcome", one.outcome),
            ("Copy", whole.copy.state if whole.copy else None),
            ("Receipt", one.receipt_id),
        ]
    )
    click.echo("")
    print_table(
        ("AT", "BY", "WHAT", "WORDS"),
        [(each.at, each.by, each.what, each.words) for each in whole.steps],
        empty="nothing",
    )


@request.command()
@click.argument("request_id", type=click.IntRange(1, 2**63 - 1))
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Where to write the ZIP file.",
)
@json_option
@needs_database
def export(request_id: int, *, out: Path, as_json: bool) -> None:
    """Write the copy of a request for access or portability to a file; make it when need be."""
    from amity.store import api_requests
    from amity.web.requests.copying import make_copies

    now = datetime.now(UTC)
    held = api_requests.get_request(request_id=request_id)
    if held.copy is None or held.copy.state in {"failed", "deleted"}:
        api_requests.ask_copy(request_id=request_id, by=_BY, now=now)
    while make_copies(now=datetime.now(UTC)):
        pass
    copy = api_requests.get_request(request_id=request_id).copy
    if copy is None or copy.state != "ready":
        raise Conflict("the worker is making the copy; try again in a moment", code="copy_running")
    shutil.copyfile(api_requests.find_copy_file(request_id=request_id), out)
    out.chmod(0o600)
    api_requests.note_handed_out(request_id=request_id, by=_BY, now=now)
    if as_json:
        print_json({"file": str(out), "bytes": copy.bytes, "sha256": copy.sha256})
    else:
        click.echo(f"{out}: {copy.bytes:,} bytes, {copy.rows:,} rows")

"""`amity plan`: what events should look like, kept in versions here and in a file elsewhere."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

import click
import msgspec

from amity.cli.output import json_option, print_facts, print_json, print_table
from amity.cli.running import needs_database
from amity.kernel.errors import Invalid, NotFound
from amity.store.contracts_tracking import (
    ALL_SOURCES,
    Plan,
    PlanDifference,
    PlanDraft,
    PlanField,
    PlanFile,
    PlanRevision,
    Policy,
)

_BY: Final = "command line"
_TYPES: Final = ("track", "identify", "page", "screen", "group")
_POLICIES: Final = ("pass", "cut", "quarantine")
_EVENT = click.argument("event")
_SOURCE = click.option("--source", "source_name", help="Only for events of this source.")


@click.group()
def plan() -> None:
    """Pin what events should look like; keep it under version control.

    An EVENT is the name of a track, or one of identify, page, screen, group.
    """


@plan.command(name="list")
@json_option
@needs_database
def list_(*, as_json: bool) -> None:
    """List the events that came or are planned, with what is pinned for each."""
    from amity.store import api_plans

    plans, shapes = api_plans.list_plans(), api_plans.list_shapes()
    if as_json:
        print_json({"plans": plans, "events": shapes})
        return
    sources = _source_names()
    came = {(each.type, each.name): each for each in shapes}
    rows: list[tuple[object, ...]] = []
    for each in plans:
        seen = came.pop((each.type, each.name), None)
        rows.append(
            (
                each.name or each.type,
                sources.get(each.source_id, "all"),
                f"v{each.version}: {each.policy}",
                len(each.fields),
                seen.events if seen else 0,
                seen.violations if seen else 0,
            )
        )
    rows += [
        (each.name or each.type, "", "not pinned", None, each.events, each.violations)
        for each in came.values()
    ]
    print_table(
        ("EVENT", "SOURCE", "PLAN", "PROPERTIES", "CAME", "AGAINST IT"),
        rows,
        empty="No event came yet, and none is planned.",
    )


@plan.command()
@_EVENT
@_SOURCE
@json_option
@needs_database
def show(event: str, source_name: str | None, *, as_json: bool) -> None:
    """Show an EVENT: what is pinned beside what is inferred from all that came, and versions."""
    from amity.store import api_plans

    type_, name = _event(event)
    source_id = _source(source_name)
    shape = api_plans.get_shape(type=type_, name=name, source_id=source_id or None)
    every = api_plans.list_plans(type=type_, name=name, live_only=False)
    versions = [each for each in every if each.source_id == source_id]
    if not shape and not versions:
        raise NotFound(f"no event {event!r} came yet, and none is planned; see `amity plan list`")
    pinned = next((each for each in versions if each.is_live), None)
    if as_json:
        inferred = (
            api_plans.infer_plan(type=type_, name=name, source_id=source_id) if shape else None
        )
        print_json({"pinned": pinned, "inferred": inferred, "came": shape, "versions": versions})
        return
    _print_plan(event, pinned)
    came = {each.path: each for each in shape if each.path}
    fields = {each.path: each for each in pinned.fields} if pinned else {}
    click.echo()
    print_table(
        ("PROPERTY", "CAME AS", "FILLED", "SHOULD BE"),
        [
            (
                path,
                ", ".join(came[path].types) or "empty" if path in came else "never",
                f"{came[path].filled_rate:.0%}" if path in came else None,
                _say_field(fields[path]) if path in fields else "not planned",
            )
            for path in sorted(came.keys() | fields.keys())
        ],
        empty="It has no properties.",
    )
    click.echo()
    print_table(
        ("VERSION", "MADE", "BY", "PINNED"),
        [(str(each.version), each.made_at, each.made_by, each.is_live) for each in versions],
        empty="It was never pinned.",
    )


def _print_plan(event: str, pinned: Plan | None) -> None:
    facts: list[tuple[str, object]] = [("Event", event)]
    if pinned is None:
        facts.append(("Pinned", "nothing"))
    else:
        facts += [
            ("Pinned", f"version {pinned.version}"),
            ("What is against it", pinned.policy),
            ("Unknown properties", "allowed" if pinned.allows_unknown else "against it"),
            ("Description", pinned.description),
        ]
    print_facts(facts)


def _say_field(field: PlanField) -> str:
    said = [" or ".join(field.types) or "anything"]
    said += ["required"] if field.is_required else []
    said += [field.format] if field.format else []
    said += [f"one of {', '.join(map(str, field.allowed))}"] if field.allowed else []
    said += [f"at most {field.max_length} characters"] if field.max_length else []
    said += [f"else {field.policy}"] if field.policy else []
    return ", ".join(said)


@plan.command()
@_EVENT
@_SOURCE
@click.option("--policy", type=click.Choice(_POLICIES), help="What is done to what is against it.")
@click.option(
    "--version", type=click.IntRange(1), help="An earlier version, in place of a new one."
)
@json_option
@needs_database
def pin(
    event: str, source_name: str | None, policy: str | None, version: int | None, *, as_json: bool
) -> None:
    """Pin what came of an EVENT so far as its plan, or an earlier version again."""
    from amity.store import api_plans

    type_, name = _event(event)
    source_id, now = _source(source_name), datetime.now(UTC)
    if version is None:
        draft: PlanDraft = api_plans.infer_plan(type=type_, name=name, source_id=source_id)
    else:
        draft = _version(type_, name, source_id, version)
    chosen = cast("Policy | None", policy) or draft.policy
    wanted = PlanDraft(
        type=type_,
        name=name,
        source_id=source_id,
        policy=chosen,
        allows_unknown=draft.allows_unknown,
        description=draft.description,
        fields=draft.fields,
    )
    made = api_plans.pin_plan(plan=wanted, by=_BY, now=now)
    _tell(made, as_json=as_json)


def _version(type_: str, name: str, source_id: int, version: int) -> Plan:
    from amity.store import api_plans

    for each in api_plans.list_plans(type=type_, name=name, live_only=False):
        if (each.version, each.source_id) == (version, source_id):
            return each
    raise NotFound(f"there is no version {version} of the plan of {name or type_}")


@plan.command()
@_EVENT
@_SOURCE
@needs_database
def unpin(event: str, source_name: str | None) -> None:
    """Stop enforcing the plan of an EVENT; its versions stay."""
    from amity.store import api_plans

    type_, name = _event(event)
    api_plans.unpin_plan(type=type_, name=name, source_id=_source(source_name))
    click.echo(f"Nothing is enforced for {event} any more.")


@plan.command()
@_EVENT
@_SOURCE
@click.option("--policy", type=click.Choice(_POLICIES), help="What is done to what is against it.")
@click.option("--unknown", type=click.Choice(["allowed", "against"]), help="Other properties.")
@click.option("--description", help="What the event means.")
@click.option(
    "--field",
    "field_json",
    multiple=True,
    metavar="JSON",
    help="A property anew, such "
    'as \'{"path": "total", "types": ["number"], "is_required": true}\'; repeatable.',
)
@click.option("--drop", multiple=True, metavar="PATH", help="Take a property out; repeatable.")
@json_option
@needs_database
def change(event: str, source_name: str | None, *, as_json: bool, **options: Any) -> None:
    """Change the plan of an EVENT: what is not named stays as it is."""
    from amity.store import api_plans

    type_, name = _event(event)
    source_id = _source(source_name)
    plans = api_plans.list_plans(type=type_, name=name)
    held = next((each for each in plans if each.source_id == source_id), None)
    if held is None:
        raise NotFound(f"nothing is pinned for {event}; begin with `amity plan pin`")
    missing = set(options["drop"]) - {field.path for field in held.fields}
    if missing:
        raise NotFound(f"the plan of {event} has no {', '.join(sorted(missing))}")
    unknown = options["unknown"]
    revision = PlanRevision(
        policy=options["policy"],
        allows_unknown=None if unknown is None else unknown == "allowed",
        description=options["description"],
        fields=[_read_field(text) for text in options["field_json"]],
        drop=list(options["drop"]),
    )
    now = datetime.now(UTC)
    made = api_plans.revise_plan(plan_id=held.plan_id, revision=revision, by=_BY, now=now)
    if not as_json:
        for words in api_plans.compare_plans(held, made):
            click.echo(words)
    _tell(made, as_json=as_json)


def _read_field(text: str) -> PlanField:
    try:
        return msgspec.json.decode(text, type=PlanField)
    except msgspec.MsgspecError as error:
        raise Invalid(f"this is no property of a plan: {error}", code="bad_plan") from error


@plan.command(name="export")
@click.argument("file", type=click.Path(dir_okay=False), default="-")
@needs_database
def export_(file: str) -> None:
    """Write all pinned plans into FILE or to standard output, the same bytes for the same plans."""
    from amity.store import api_plans

    text = write_plans(api_plans.export_plans())
    if file == "-":
        sys.stdout.buffer.write(text)
        return
    Path(file).write_bytes(text)
    click.echo(f"Wrote {file}.", err=True)


def write_plans(document: PlanFile) -> bytes:
    """Return plans as a text whose lines can be compared."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


@plan.command()
@click.argument("file", type=click.File("rb"))
@json_option
@needs_database
def diff(file: Any, *, as_json: bool) -> int:
    """Compare the plans in FILE with the pinned ones; exit with 1 when they differ."""
    from amity.store import api_plans

    found = api_plans.compare_plan_file(document=_read_file(file))
    _print_differences(found, as_json=as_json)
    return 1 if found else 0


@plan.command(name="import")
@click.argument("file", type=click.File("rb"))
@click.option("--prune", is_flag=True, help="Unpin what is not in FILE.")
@json_option
@needs_database
def import_(file: Any, *, prune: bool, as_json: bool) -> None:
    """Pin what FILE plans otherwise, all or nothing; what is the same makes no version."""
    from amity.store import api_plans

    document = _read_file(file)
    done = api_plans.import_plans(document=document, prunes=prune, by=_BY, now=datetime.now(UTC))
    _print_differences(done, as_json=as_json, prunes=prune)


def _read_file(file: Any) -> PlanFile:
    try:
        return msgspec.json.decode(file.read(), type=PlanFile)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Invalid(f"this is no file of plans: {error}", code="bad_plan_file") from error


def _print_differences(
    found: list[PlanDifference], *, as_json: bool, prunes: bool | None = None
) -> None:
    if as_json:
        print_json(found)
        return
    signs = {"added": "+", "changed": "~", "only_here": "-"}
    for each in found:
        where = f" (source {each.source})" if each.source else ""
        kept = "; it stays, use --prune to unpin it" if prunes is False else ""
        note = f": is pinned here and not in the file{kept}" if each.kind == "only_here" else ""
        click.echo(f"{signs[each.kind]} {each.name or each.type}{where}{note}")
        for words in each.words:
            click.echo(f"    {words}")
    if not found:
        click.echo("The pinned plans are those of the file.")


@plan.command()
@click.argument("file", type=click.File("rb"))
@click.option(
    "--plan",
    "plan_file",
    type=click.File("rb"),
    help="A file of plans to check against, in place of the pinned ones.",
)
@_SOURCE
@json_option
@needs_database
def check(file: Any, plan_file: Any, source_name: str | None, *, as_json: bool) -> int:
    """Check the events in FILE, one JSON object a line or one JSON list; nothing is stored.

    Exits with 1 when one of them is against its plan or cannot be understood.
    """
    from amity.store import api_plans

    verdicts = api_plans.check_events(
        events=_read_events(file.read()),
        document=None if plan_file is None else _read_file(plan_file),
        source_id=_source(source_name),
    )
    wrong = [each for each in verdicts if each.verdict not in {"fits", "unplanned"}]
    if as_json:
        print_json(verdicts)
        return 1 if wrong else 0
    print_table(
        ("LINE", "EVENT", "WOULD BE", "WHY"),
        [
            (
                str(each.index + 1),
                each.name or each.type,
                each.verdict.replace("_", " "),
                each.message or ", ".join(f"{p}: {rule}" for p, rule in each.violations.items()),
            )
            for each in wrong
        ],
        empty="Every event is as planned.",
    )
    unplanned = sum(each.verdict == "unplanned" for each in verdicts)
    click.echo(f"{len(verdicts)} events, {len(wrong)} wrong, {unplanned} without a plan")
    return 1 if wrong else 0


def _read_events(content: bytes) -> list[bytes]:
    if not content.lstrip().startswith(b"["):
        return [line for line in content.splitlines() if line.strip()]
    try:
        return [bytes(each) for each in msgspec.json.decode(content, type=list[msgspec.Raw])]
    except msgspec.MsgspecError as error:
        raise Invalid(f"this is no list of events: {error}", code="bad_events") from error


def _event(text: str) -> tuple[str, str]:
    """Return type and name; a word that is a type means that type, else it is a track's name."""
    return (text, "") if text in _TYPES and text != "track" else ("track", text)


def _source(name: str | None) -> int:
    from amity.cli.source import find

    return find(name).source_id if name else ALL_SOURCES


def _source_names() -> dict[int, str]:
    from amity.store import api

    return {source.source_id: source.name for source in api.list_sources()}


def _tell(made: Plan, *, as_json: bool) -> None:
    if as_json:
        print_json(made)
    else:
        click.echo(f"Version {made.version} is pinned, everywhere within seconds.")

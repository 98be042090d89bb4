"""`amity key`: keys of the control API."""

from datetime import UTC, datetime, timedelta

import click

from amity.cli.output import json_option, print_facts, print_json, print_table
from amity.cli.running import needs_django


@click.group()
def key() -> None:
    """Manage keys of the control API."""


@key.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    help="What it may do, such as profiles:read; may be repeated. `*` is everything.",
)
@click.option("--days", type=click.IntRange(1, 3650), help="Days until it ends; absent: never.")
@json_option
@needs_django
def create(name: str, scopes: tuple[str, ...], days: int | None, *, as_json: bool) -> None:
    """Make a key called NAME and print it. It is shown this once only."""
    from amity.web.staff import api_keys

    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
    wanted = [part for scope in scopes for part in scope.split(",")]
    text = api_keys.create_api_key(
        name=name, scopes=wanted, by="command line", expires_at=expires_at
    )
    made = next(item for item in api_keys.list_api_keys() if text.startswith(item.prefix))
    if as_json:
        print_json(
            {
                "key": text,
                "key_id": made.key_id,
                "name": made.name,
                "scopes": made.scopes,
                "expires_at": made.expires_at,
            }
        )
        return
    print_facts(
        [
            ("Key", text),
            ("Name", made.name),
            ("Scopes", ", ".join(made.scopes)),
            ("Ends", made.expires_at or "never"),
        ]
    )
    click.echo("Keep it now: it cannot be shown again.", err=True)


@key.command(name="list")
@json_option
@needs_django
def list_(*, as_json: bool) -> None:
    """List the keys, without their secrets."""
    from amity.web.staff import api_keys

    found = api_keys.list_api_keys()
    if as_json:
        print_json(found)
        return
    now = datetime.now(UTC)
    print_table(
        ("ID", "NAME", "BEGINS", "SCOPES", "LAST USED", "STATE"),
        [
            (
                str(item.key_id),
                item.name,
                item.prefix,
                ", ".join(item.scopes),
                item.last_used_at,
                _state(item.revoked_at, item.expires_at, now),
            )
            for item in found
        ],
        empty="There are no keys yet; make one with `amity key create NAME --scope …`.",
    )


@key.command()
@click.argument("key_id", type=click.IntRange(1, 2**63 - 1))
@json_option
@needs_django
def revoke(key_id: int, *, as_json: bool) -> None:
    """End the key with the number KEY_ID at once."""
    from amity.web.staff import api_keys

    api_keys.revoke_api_key(key_id=key_id, now=datetime.now(UTC))
    if as_json:
        print_json({"key_id": key_id, "revoked": True})
    else:
        click.echo(f"Key {key_id} is revoked.")


def _state(revoked_at: datetime | None, expires_at: datetime | None, now: datetime) -> str:
    if revoked_at is not None:
        return "revoked"
    return "ended" if expires_at is not None and expires_at <= now else "live"

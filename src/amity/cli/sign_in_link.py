"""`amity sign-in-link`: a way in for one member of staff, once."""

from datetime import UTC, datetime, timedelta

import click

from amity.cli.output import json_option, print_json
from amity.cli.running import needs_django


@click.command(name="sign-in-link")
@click.argument("username", required=False)
@click.option("--minutes", type=click.IntRange(1, 1440), default=15, show_default=True)
@json_option
@needs_django
def sign_in_link(username: str | None, minutes: int, *, as_json: bool) -> None:
    """Print a link that signs USERNAME in once; the admin when no name is given.

    The first one makes the installation's first admin.
    """
    from amity.cli.supervisor import addresses
    from amity.infra.config import settings
    from amity.web.staff.sign_in import create_sign_in_link

    who = username or _first_admin()
    now, lifetime = datetime.now(UTC), timedelta(minutes=minutes)
    path = create_sign_in_link(username=who, now=now, lifetime=lifetime)
    url = addresses(settings())["web"] + path
    if as_json:
        print_json({"url": url, "username": who, "expires_at": now + lifetime})
    else:
        click.echo(url)


def _first_admin() -> str:
    from amity.web.staff.models import Role, Staff

    admins = Staff.objects.filter(role=Role.ADMIN, is_active=True).order_by("pk")
    first = admins.first()
    return first.username if first else "admin"

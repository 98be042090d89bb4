"""`amity enrichment`: others who are asked about customers that allow it."""

from datetime import UTC, datetime
from typing import IO, Any

import click

from amity.cli.asking import find_named
from amity.cli.import_file import read_pairs
from amity.cli.output import json_option, print_facts, print_json, print_list
from amity.cli.running import needs_database
from amity.kernel.errors import Unavailable
from amity.store.contracts_hooks import Enrichment, EnrichmentKey, EnrichmentPlan

_KEYS = click.Choice(EnrichmentKey.__args__)  # type: ignore[attr-defined]  # a Literal


@click.group()
def enrichment() -> None:
    """Ask others about customers who allow it, and take what they answer as claims."""


@enrichment.command(name="list")
@json_option
@needs_database
def list_(*, as_json: bool) -> None:
    """List who is asked, and how it goes."""
    from amity.store import api_fetching

    found = api_fetching.list_enrichments()
    print_list(
        found,
        ("NAME", "STATE", "WAITING", "ANSWERED", "UNKNOWN", "WITHHELD", "FAILED", "FAILURE"),
        [
            (
                one.plan.name,
                _state(one),
                one.waiting,
                one.answered,
                one.unknown,
                one.withheld,
                one.failed,
                one.failure,
            )
            for one in found
        ],
        empty="Nobody is asked yet; begin with `amity enrichment add NAME URL …`.",
        as_json=as_json,
    )


@enrichment.command()
@click.argument("name")
@click.argument("url")
@click.option("--source", "source_name", required=True, help="The source answers count for.")
@click.option("--key", type=_KEYS, required=True, help="What is sent of a customer.")
@click.option("--purpose", required=True, help="Only who allows it is asked about.")
@click.option("--basis", "lawful_basis", required=True, help="Lawful basis of the answers.")
@click.option(
    "--take",
    "pairs",
    multiple=True,
    required=True,
    metavar="TRAIT=PLACE",
    help="As company_size=company.size; again for more.",
)
@click.option("--header", default="", help="The header its secret goes into.")
@click.option(
    "--secret-file", type=click.File(), metavar="FILE|-", help="Where that header's value is."
)
@click.option("--confidence", default=0.7, show_default=True, help="How sure it is, 0 to 1.")
@click.option("--days", "ttl_days", default=180, show_default=True, help="How long it is good.")
@click.option("--per-minute", default=60, show_default=True, help="How often at most.")
@click.option("--automatic", "is_automatic", is_flag=True, help="About who is seen from now on.")
@json_option
@needs_database
def add(name: str, url: str, *, source_name: str, as_json: bool, **options: Any) -> None:
    """Ask URL about customers, as NAME; `{value}` stands where the identifier goes."""
    from amity.cli.source import find
    from amity.store import api_fetching

    secret_file: IO[str] | None = options.pop("secret_file")
    mapping = read_pairs(options.pop("pairs"), option="--take")
    made = api_fetching.create_enrichment(
        plan=EnrichmentPlan(name=name, url=url, mapping=mapping, **options),
        source_id=find(source_name).source_id,
        secret=secret_file.read() if secret_file else "",
        by="command line",
    )
    _print(made, as_json=as_json)


@enrichment.command()
@click.argument("name")
@json_option
@needs_database
def test(name: str, *, as_json: bool) -> None:
    """Ask the enrichment NAME about nobody real, and say what came of it."""
    from amity.store import api_fetching

    tried = api_fetching.try_enrichment(enrichment_id=_find(name).enrichment_id)
    if as_json:
        print_json(tried)
    elif tried.is_delivered:
        click.echo(f"It answered {tried.status}.")
    if not tried.is_delivered:
        raise Unavailable(f"{name} cannot be asked: {tried.error}", code="not_asked")


@enrichment.command()
@click.argument("name")
@click.argument("profile_ids", type=int, nargs=-1, required=True, metavar="PROFILE_ID…")
@json_option
@needs_database
def ask(name: str, profile_ids: tuple[int, ...], *, as_json: bool) -> None:
    """Ask the enrichment NAME about customers now, also about whom it was asked before."""
    from amity.store import api_fetching

    enrichment_id = _find(name).enrichment_id
    api_fetching.ask_enrichment(enrichment_id=enrichment_id, profile_ids=list(profile_ids))
    api_fetching.run_enrichment(enrichment_id=enrichment_id, now=datetime.now(UTC))
    _print(api_fetching.get_enrichment(enrichment_id=enrichment_id), as_json=as_json)


@enrichment.command()
@click.argument("name")
@click.argument("what", type=click.Choice(["pause", "resume", "delete"]))
@needs_database
def change(name: str, what: str) -> None:
    """Pause the enrichment NAME, resume it, or forget it with its secret."""
    from amity.store import api_fetching

    enrichment_id = _find(name).enrichment_id
    if what == "delete":
        api_fetching.delete_enrichment(enrichment_id=enrichment_id)
        click.echo(f"Forgot {name}; what it answered stays until its time is over.")
        return
    done = api_fetching.switch_enrichment(enrichment_id=enrichment_id, is_enabled=what == "resume")
    _print(done, as_json=False)


def _find(name: str) -> Enrichment:
    from amity.store import api_fetching

    return find_named(
        {one.plan.name: one for one in api_fetching.list_enrichments()}, name, "enrichment"
    )


def _state(one: Enrichment) -> str:
    if not one.is_enabled:
        return "paused"
    return "asks by itself" if one.plan.is_automatic else "on demand"


def _print(one: Enrichment, *, as_json: bool) -> None:
    if as_json:
        print_json(one)
        return
    print_facts(
        [
            ("Name", one.plan.name),
            ("URL", one.plan.url),
            ("Purpose", f"{one.plan.purpose}, {one.plan.lawful_basis}"),
            ("State", _state(one)),
            ("Waiting", one.waiting),
            ("Answered", one.answered),
            ("Unknown", one.unknown),
            ("Withheld", one.withheld),
            ("Failed", f"{one.failed} {one.failure}".strip()),
        ]
    )

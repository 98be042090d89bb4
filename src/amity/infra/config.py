"""Settings: read once from the environment, here and nowhere else."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from amity.kernel.errors import Invalid

_PREFIX: Final = "AMITY_"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator can set. Each field is read from `AMITY_<FIELD>`."""

    data: Annotated[
        Path, Meta(description="Folder of everything Amity keeps: the database, secrets, locks.")
    ] = Path(".amity")
    demo_shop: Annotated[
        bool,
        Meta(
            description="Whether the storefront at /shop lets anybody sign in as any customer, as "
            "the demo does. Never where real customers are."
        ),
    ] = False
    database_url: Annotated[
        str | None,
        Meta(description="A PostgreSQL 15 or newer to use instead of the embedded server."),
    ] = None
    web_host: Annotated[str, Meta(description="Address the screens listen on.")] = "127.0.0.1"
    web_port: Annotated[int, Meta(description="Port of the screens and the control API.")] = 8000
    edge_host: Annotated[str, Meta(description="Address the collector listens on.")] = "127.0.0.1"
    edge_port: Annotated[int, Meta(description="Port of the collector.")] = 8080
    public_hosts: Annotated[
        str, Meta(description="Further host names the screens answer to, separated by commas.")
    ] = ""
    https: Annotated[
        bool,
        Meta(
            description="The screens are reached over https through a proxy that sets "
            "X-Forwarded-Proto and X-Forwarded-For; both are believed only then."
        ),
    ] = False
    log_level: Annotated[str, Meta(description="DEBUG, INFO, WARNING or ERROR.")] = "INFO"
    unsafe: Annotated[
        bool, Meta(description="Serve although PostgreSQL could lose acknowledged events.")
    ] = False
    currency: Annotated[str, Meta(description="The currency revenue is summed in (ISO 4217).")] = (
        "USD"
    )
    margin_rate: Annotated[
        Annotated[float, Meta(ge=0, le=1)] | None,
        Meta(
            description="What is left of an order's amount after the goods, 0 to 1; with it, "
            "customers have a score `profit` beside their value.",
        ),
    ] = None
    referred_by: Annotated[
        str,
        Meta(
            description="Where customers tell who brought them, by user id or e-mail address: a "
            "trait, such as `referred_by`, or a property of an event, such as "
            "`Signed Up.invited_by`. The score `referral_value` is made of it.",
        ),
    ] = "referred_by"
    time_zone: Annotated[str, Meta(description="Zone the screens show times in (IANA).")] = "UTC"
    max_event_bytes: Annotated[int, Meta(description="Largest single event accepted.")] = 32_768
    max_batch_bytes: Annotated[int, Meta(description="Largest request accepted.")] = 512_000
    max_inflated_bytes: Annotated[
        int, Meta(description="Largest request accepted after decompression.")
    ] = 2_097_152
    max_inflight_bytes: Annotated[
        int, Meta(description="Bytes of requests held at once before the collector answers 429.")
    ] = 33_554_432
    key_events_per_second: Annotated[
        int, Meta(description="Events a second one write key may send before it gets 429.")
    ] = 50_000
    max_lag_seconds: Annotated[
        int, Meta(description="How far the fold may fall behind before the collector answers 429.")
    ] = 60
    decide_profiles: Annotated[
        int,
        Meta(
            description="Customers the edge keeps at hand for decisions, 1 to 3 kB each; 0 = it "
            "reads each from the database."
        ),
    ] = 100_000
    disk_reserve_bytes: Annotated[
        int,
        Meta(
            description="Free space below which the collector answers 429; -1 means the larger "
            "of 1 GiB and 5 % of the disk."
        ),
    ] = -1
    max_import_bytes: Annotated[
        int, Meta(description="Largest file that can be uploaded for an import.")
    ] = 536_870_912
    identity_max_identifiers: Annotated[
        int, Meta(description="Identifiers one customer may have in all.")
    ] = 100
    identity_max_emails: Annotated[
        int, Meta(description="E-mail addresses one customer may have.")
    ] = 5
    identity_max_phones: Annotated[
        int, Meta(description="Phone numbers one customer may have.")
    ] = 5
    identity_place_logins: Annotated[
        int, Meta(description="User ids on one device from which it is a place and nobody's.")
    ] = 5
    identity_blocked: Annotated[
        str,
        Meta(
            description="Further values that identify nobody, separated by commas, such as a "
            "shop's own address. Like the limits above it counts from then on, and for all "
            "events after `amity rebuild`."
        ),
    ] = ""
    warehouse: Annotated[
        Literal["on", "off"],
        Meta(description="Whether the worker exports to the warehouse of Parquet files."),
    ] = "on"
    warehouse_seconds: Annotated[
        float, Meta(description="How long the worker waits between two exports.")
    ] = 60
    public_url: Annotated[
        str | None,
        Meta(
            description="Where customers reach the edge, for the links in messages (https in "
            "earnest); by default the edge's own address."
        ),
    ] = None
    smtp_url: Annotated[
        str | None,
        Meta(
            description="The mail server messages go to, such as "
            "`smtp+starttls://name:password@mail.example:587`. Without one every message goes to "
            "the local mailbox and none can leave this machine."
        ),
    ] = None
    mailbox_port: Annotated[
        int, Meta(description="Port of the local mailbox, on loopback only.")
    ] = 2525
    mail_from: Annotated[
        str, Meta(description="Address messages come from; its domain signs them (DKIM).")
    ] = "news@shop.example"
    preference_questions: Annotated[
        str,
        Meta(
            description="What the preference centre may ask while it is not known, as "
            "`trait=Question, trait=Question`."
        ),
    ] = ""
    mail_from_name: Annotated[str, Meta(description="Name messages come from.")] = "The shop"
    mail_bounces: Annotated[
        str | None,
        Meta(description="Domain of the envelope sender; by default `bounces.` and the domain."),
    ] = None
    mail_unsubscribe: Annotated[
        str | None,
        Meta(
            description="Address that somebody reads, offered for unsubscribing beside the link; "
            "without one only the link is."
        ),
    ] = None
    postal_address: Annotated[
        str,
        Meta(
            description="The sender's postal address; marketing is not sent through a mail server "
            "before it is set."
        ),
    ] = "1 Market Street, Springfield"
    dkim_selector: Annotated[str, Meta(description="Selector of the DKIM key.")] = "amity1"
    senders: Annotated[int, Meta(description="Processes that send messages.")] = 1
    smtp_connections: Annotated[
        int, Meta(description="Connections each of them keeps to the mail server.")
    ] = 10
    send_lease_seconds: Annotated[
        float,
        Meta(description="How long a sender may be silent before another takes its messages."),
    ] = 60
    send_retry_seconds: Annotated[
        float,
        Meta(
            description="How long a message waits when the mail server asks to try later; each "
            "time twice as long, up to an hour."
        ),
    ] = 60
    egress_allow: Annotated[
        str,
        Meta(
            description="What may be called beside public https: networks (`10.0.0.0/8`) and hosts "
            "with ports (`erp.internal:8443`), separated by commas. Private addresses, http and "
            "other ports are closed without it."
        ),
    ] = ""
    marketing_cap_count: Annotated[
        int, Meta(description="Marketing messages one person gets at most in a while; 0 = no cap.")
    ] = 3
    marketing_cap_days: Annotated[
        float, Meta(description="How many days that while has, a rolling window.")
    ] = 7
    quiet_from: Annotated[
        int, Meta(description="Hour of the customer's day from which marketing waits.")
    ] = 21
    quiet_until: Annotated[
        int,
        Meta(description="Hour until which it waits; the same as `quiet_from` = never."),
    ] = 8
    visit_idle_minutes: Annotated[
        float, Meta(description="Minutes without an event after which a visit is over.", gt=0)
    ] = 30
    visit_midnight: Annotated[
        bool, Meta(description="Visits also end at midnight, in `time_zone`.")
    ] = False
    interest_half_life_days: Annotated[
        float, Meta(description="Days after which an interest counts half.", gt=0)
    ] = 14
    gpc_purposes: Annotated[
        str,
        Meta(
            description="Purposes that the privacy signal of a browser (`Sec-GPC: 1`) says no to, "
            "separated by commas; empty = the signal is not recorded."
        ),
    ] = "sharing"
    under_age: Annotated[
        str,
        Meta(
            description="Below which age customers are neither advertised to nor profiled unless "
            "a guardian agreed, such as `16 US=13`: the usual age, and others by country. Holds "
            "for who is told of from then on; `amity rebuild` has it hold for all."
        ),
    ] = "16"
    tcf_purposes: Annotated[
        str,
        Meta(
            description="What a TCF consent string means here: purposes with the IAB's purposes "
            "they all need, such as `sharing=1+2+4, profiling=3`."
        ),
    ] = ""
    tcf_vendor: Annotated[
        int,
        Meta(description="Our number on the IAB's list of vendors; 0 = we are not on it."),
    ] = 0


def _read(environ: dict[str, str]) -> Settings:
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(Settings):
        name = _PREFIX + field.name.upper()
        if environ.get(name):
            values[field.name] = environ[name]
    if environ.get("DATABASE_URL"):
        values.setdefault("database_url", environ["DATABASE_URL"])
    try:
        read = msgspec.convert(values, Settings, strict=False, dec_hook=_path)
    except msgspec.ValidationError as error:
        raise Invalid(f"a setting is wrong: {error}", code="bad_setting") from error
    return msgspec.structs.replace(read, data=read.data.absolute())


def _path(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(value)
    raise NotImplementedError(kind)


@cache
def settings() -> Settings:
    """Return the settings of this process."""
    return _read(dict(os.environ))


@contextmanager
def override(**values: Any) -> Iterator[Settings]:
    """Use other settings for a while, in this process and in those it starts."""
    before = dict(os.environ)
    for name, value in values.items():
        os.environ[_PREFIX + name.upper()] = str(value)
    settings.cache_clear()
    try:
        yield settings()
    finally:
        os.environ.clear()
        os.environ.update(before)
        settings.cache_clear()


def prefer(**values: Any) -> None:
    """Settle what the environment leaves open, for this process and those it starts."""
    for name, value in values.items():
        os.environ.setdefault(_PREFIX + name.upper(), str(value))
    settings.cache_clear()


def environment() -> dict[str, str]:
    """Return a copy of the environment for a child process."""
    return dict(os.environ)

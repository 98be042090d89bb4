"""The mail server messages go to, read from one address such as `smtps://name:secret@host:465`."""

import ipaddress
import socket
import ssl
from typing import Final, Literal
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from amity.kernel.errors import Invalid

Security = Literal["none", "starttls", "tls"]
_SCHEMES: Final[dict[str, tuple[Security, int]]] = {
    "smtp": ("none", 25),
    "smtp+starttls": ("starttls", 587),
    "smtps": ("tls", 465),
}


class Relay(msgspec.Struct, frozen=True, kw_only=True):
    """Where messages are handed over, and how."""

    host: str
    port: int
    security: Security = "none"
    user: str = ""
    password: str = ""
    ca_file: str = ""
    """Certificates to believe instead of the system's."""
    patience: float = 1.0
    """Makes every time-out of RFC 5321 this much longer."""
    greeting: str = "localhost"
    """The name we greet with."""


def parse_relay(url: str) -> Relay:
    """Read `AMITY_SMTP_URL`; raise Invalid with what is wrong, never with the password.

    A name and a password are only sent encrypted, or to this machine itself.
    """
    try:
        parts = urlsplit(url)
        security, port = _SCHEMES[parts.scheme]
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        relay = Relay(
            host=parts.hostname or "",
            port=parts.port or port,
            security=security,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            ca_file=options.pop("ca", ""),
            patience=float(options.pop("patience", "1")),
            greeting=options.pop("greeting", "") or _own_name(),
        )
    except (KeyError, ValueError) as error:
        raise Invalid(
            "AMITY_SMTP_URL must be like smtp://host:25, smtp+starttls://name:password@host:587 "
            "or smtps://name:password@host:465",
            code="bad_setting",
        ) from error
    if not relay.host or options or relay.patience <= 0:
        raise Invalid("AMITY_SMTP_URL has no host, or an option nobody knows", code="bad_setting")
    if relay.user and security == "none" and not _is_here(relay.host):
        raise Invalid(
            "AMITY_SMTP_URL would send the password in clear: use smtps or smtp+starttls",
            code="bad_setting",
        )
    return relay


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _own_name() -> str:
    name = socket.gethostname()
    return name if "." in name and name.isascii() else "[127.0.0.1]"


def tls_context(relay: Relay) -> ssl.SSLContext:
    """Return how to encrypt: certificates and host names are checked, always."""
    context = ssl.create_default_context(cafile=relay.ca_file or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context

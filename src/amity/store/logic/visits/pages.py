"""Addresses of pages (pure): what of them is kept, and what they say of a campaign."""

from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from amity.store.contracts_visits import Campaign

_LONGEST: Final = 500
_PORTS: Final = {"http": 80, "https": 443}
CLICK_IDS: Final = (
    "gclid", "gbraid", "wbraid", "dclid", "msclkid", "fbclid", "ttclid", "twclid", "li_fat_id",
    "yclid", "epik", "sccid", "rdt_cid",
)  # fmt: skip
"""Parameters by which advertisers tell their clicks apart."""
_PAID: Final = frozenset(CLICK_IDS) - {"fbclid"}  # which Facebook puts on every link
_TRACKING: Final = frozenset(CLICK_IDS) | {
    "_ga", "_gl", "_hsenc", "_hsmi", "_ke", "_kx", "mc_cid", "mc_eid", "mkt_tok", "igshid", "igsh",
    "ref", "ref_src", "srsltid", "vero_id", "oly_anon_id", "oly_enc_id", "s_cid", "wickedid",
    "sessionid", "session_id", "sid", "phpsessid", "jsessionid", "amity_id",
}  # fmt: skip
_FIELDS: Final = {
    "utm_source": "source",
    "utm_medium": "medium",
    "utm_campaign": "name",
    "utm_term": "term",
    "utm_content": "content",
}


@lru_cache(maxsize=8192)
def clean_url(url: str) -> str:
    """Return an address without what only tracks: the same page is written in the same way.

    A path alone stays one. The empty text when it is neither.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https", "") or bool(parts.scheme) != bool(host):
        return ""
    if not host and not parts.path.startswith("/"):
        return ""
    if port and port != _PORTS.get(parts.scheme):
        host = f"{host}:{port}"
    kept = sorted(
        (key, value)
        for key, value in parse_qsl(parts.query)
        if not is_tracking(key) and "@" not in value
    )
    path = parts.path or "/"
    return urlunsplit((parts.scheme, host, path, urlencode(kept), ""))[:_LONGEST]


def is_tracking(key: str) -> bool:
    """Say whether a parameter says who clicked, not what is shown."""
    key = key.lower()
    return key in _TRACKING or key.startswith(("utm_", "pk_", "mtm_", "hsa_"))


@lru_cache(maxsize=8192)
def find_campaign(url: str) -> Campaign | None:
    """Return the campaign an address was part of, if it says so."""
    if "?" not in url:
        return None
    try:
        pairs = parse_qsl(urlsplit(url).query)
    except ValueError:
        return None
    said: dict[str, str] = {}
    for written, value in pairs:
        key = written.lower()
        if key in _FIELDS:
            said.setdefault(_FIELDS[key], value.strip()[:200])
        elif key in _PAID and value:
            said.setdefault("click_id", key)
    return Campaign(**said) if any(said.values()) else None


def read_campaign(said: Any) -> Campaign | None:
    """Return the campaign a client read itself (`context.campaign`), if there is one."""
    if not isinstance(said, dict):
        return None
    fields = {
        name: value.strip()[:200]
        for name in ("source", "medium", "name", "term", "content")
        if isinstance(value := said.get(name), str) and value.strip()
    }
    return Campaign(**fields) if fields else None

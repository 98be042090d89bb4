"""Where a visit came from (pure): the host of the page before it, put into a kind."""

import re
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from amity.store.contracts_visits import ReferrerKind

_SEARCH: Final = re.compile(
    r"(^|\.)(google|bing|yahoo|duckduckgo|ecosia|qwant|startpage|baidu|yandex|ask|sogou|naver|"
    r"seznam|brave|kagi|aol|search|presearch|swisscows|mojeek|haosou|so)\.(?!.*\bmail\b)"
)
_SOCIAL: Final = re.compile(
    r"(^|\.)(facebook|fb|instagram|pinterest|linkedin|lnkd|twitter|x|t|reddit|tiktok|youtube|youtu|"
    r"snapchat|threads|mastodon|bsky|vk|weibo|whatsapp|telegram|tumblr|quora|xing|messenger|discord)"
    r"\.(com|co|in|be|net|me|social|app|pin|it|ru|org|gg)$"
)
_MAIL: Final = re.compile(
    r"(^|\.)(mail|webmail|outlook|hotmail|gmx|gmail|inbox|roundcube|proton|protonmail|tutanota|"
    r"posteo|mailbox|fastmail)\."
)
_KINDS: Final[tuple[tuple[ReferrerKind, re.Pattern[str]], ...]] = (
    ("email", _MAIL),
    ("search", _SEARCH),
    ("social", _SOCIAL),
)
_APPS: Final[dict[str, ReferrerKind]] = {
    "com.google.android.gm": "email",
    "com.microsoft.office.outlook": "email",
    "com.google.android.googlequicksearchbox": "search",
    "com.facebook.katana": "social",
    "com.facebook.orca": "social",
    "com.instagram.android": "social",
    "com.twitter.android": "social",
    "com.linkedin.android": "social",
    "com.pinterest": "social",
    "com.reddit.frontpage": "social",
}


@lru_cache(maxsize=8192)
def find_host(url: str) -> str:
    """Return the host of an address in small letters, without `www.`; "" when it has none."""
    try:
        host = (urlsplit(url.strip()).hostname or "").lower().rstrip(".")
    except ValueError:
        return ""
    return host.removeprefix("www.")[:253]


def is_same_site(one: str, other: str) -> bool:
    """Say whether two hosts are of one site: the same, or one below the other."""
    return bool(one and other) and (
        one == other or one.endswith(f".{other}") or other.endswith(f".{one}")
    )


@lru_cache(maxsize=8192)
def classify_referrer(referrer: str, own: str) -> tuple[str, ReferrerKind]:
    """Return the host a visit came from, and its kind; ``own`` is the host it came to."""
    host = find_host(referrer)
    if not host:
        return "", "direct"
    if is_same_site(host, own):
        return host, "own"
    if referrer.startswith("android-app:"):
        return host, _APPS.get(host, "referral")
    return host, next((kind for kind, hosts in _KINDS if hosts.search(host)), "referral")

"""What is kept of a browser that said yes or no: its family, and a keyed hash of its address.

Enough to tell later whether two statements came from one place, and not to find anybody by it.
"""

from typing import Final

from amity.edge.http import Scope
from amity.edge.passing import client_address
from amity.infra.config import settings
from amity.infra.crypto import pseudonym

# The first that is found: most browsers name others too.
_FAMILIES: Final = (
    ("edg", "Edge"),
    ("opr/", "Opera"),
    ("samsungbrowser", "Samsung Internet"),
    ("firefox", "Firefox"),
    ("fxios", "Firefox"),
    ("chrome", "Chrome"),
    ("crios", "Chrome"),
    ("safari", "Safari"),
)


def browser_family(agent: str) -> str:
    """Return what family a browser is of, by what it says of itself."""
    lowered = agent.lower()
    return next((name for word, name in _FAMILIES if word in lowered), "other" if agent else "")


def network_key(scope: Scope) -> str:
    """Return the keyed hash of the caller's network address."""
    return pseudonym("network:" + client_address(scope, behind_proxy=settings().https))


def show(scope: Scope) -> dict[str, str]:
    """Return the evidence of a request, for the ledger."""
    family = browser_family(scope.headers.get("user-agent") or "")
    shown = {"browser": family, "network": network_key(scope)}
    return {name: value for name, value in shown.items() if value}

"""Which hosts and addresses may be called: pure, so that a table can prove it.

Python's own `is_global` is not asked: in some versions it takes NAT64 and 6to4 forms of private
addresses, site-local ones and 192.0.0.8 for public. Allowed is global unicast only, by lists
written here from the IANA special-purpose registries, after unpacking IPv4 out of IPv6 forms.
"""

import ipaddress
import re
from collections.abc import Iterator
from typing import Final

import msgspec

from amity.kernel.errors import Denied, Invalid

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_NOT_PUBLIC_4: Final = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_UNICAST_6: Final = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_6: Final = tuple(
    ipaddress.IPv6Network(text)
    for text in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)
# Where clouds keep credentials. Closed even where a deployment opens the network around them.
_METADATA: Final = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "169.254.169.254",
        "169.254.170.2",
        "169.254.170.23",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
    )
)
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
# A name ending like this would be taken for a number by some resolvers: 127.1, 0x7f.1, 2130706433.
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


class AllowList(msgspec.Struct, frozen=True):
    """What one deployment opens beyond public https: whole networks, and single hosts by port."""

    networks: tuple[IPNetwork, ...] = ()
    hosts: frozenset[tuple[str, int]] = frozenset()

    def has_host(self, host: str, port: int) -> bool:
        """Return whether this very host and port were opened."""
        return (host, port) in self.hosts

    def has_address(self, address: IPAddress) -> bool:
        """Return whether the address lies in an opened network."""
        return any(
            address.version == network.version and address in network for network in self.networks
        )


def read_allow_list(text: str) -> AllowList:
    """Read networks (`10.0.0.0/8`) and hosts with ports (`crm.internal:8443`, `[::1]:80`).

    Raises Invalid naming the entry that is neither.
    """
    networks: list[IPNetwork] = []
    hosts: set[tuple[str, int]] = set()
    for entry in re.split(r"[\s,]+", text.strip()) if text.strip() else ():
        if "/" in entry:
            networks.append(_network(entry))
        else:
            hosts.add(_host_and_port(entry))
    return AllowList(tuple(networks), frozenset(hosts))


def _network(entry: str) -> IPNetwork:
    try:
        return ipaddress.ip_network(entry)
    except ValueError as error:
        raise Invalid(f"{entry!r} is not a network: {error}", code="bad_setting") from error


def _host_and_port(entry: str) -> tuple[str, int]:
    host, colon, port = entry.rpartition(":")
    if not colon or not port.isdecimal() or not 0 < int(port) < 65536:
        raise Invalid(f"{entry!r} is neither host:port nor a network", code="bad_setting")
    return host.strip("[]").rstrip(".").lower(), int(port)


def clean_host(host: str) -> str:
    """Return ``host`` as it is looked up: lower case, no dot at the end.

    Raises Denied for everything that resolvers read in different ways: numbers that are not
    four plain decimal ones, zones, letters outside ASCII, empty or endless labels.
    """
    if ":" in host:
        return _clean_six(host)
    plain = host.lower().removesuffix(".")
    labels = plain.split(".")
    if len(plain) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise Denied(
            "this host name is not written plainly; use its ASCII form (xn--…)", code="bad_host"
        )
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(ipaddress.IPv4Address(plain))
        except ValueError as error:
            raise Denied(
                "write a numeric address as four decimal numbers, without leading zeros",
                code="bad_host",
            ) from error
    return plain


def _clean_six(host: str) -> str:
    try:
        if "%" in host:
            raise ValueError("a zone")
        return str(ipaddress.IPv6Address(host))
    except ValueError as error:
        raise Denied("this is not an IPv6 address that may be called", code="bad_host") from error


def find_address(host: str) -> IPAddress | None:
    """Return the address a host is, or None when it is a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def iter_meant(address: IPAddress) -> Iterator[IPAddress]:
    """Iterate all an address can lead to: itself, and every IPv4 address packed into it."""
    yield address
    if isinstance(address, ipaddress.IPv4Address):
        return
    number = int(address)
    if address.ipv4_mapped:
        yield address.ipv4_mapped
    if address.sixtofour:
        yield address.sixtofour
    if address.teredo:
        yield from address.teredo
    if address in _NAT64 or number >> 32 == 0:
        yield ipaddress.IPv4Address(number & 0xFFFFFFFF)
    if (number >> 32) & 0xFDFFFFFF == 0x00005EFE:  # ISATAP, RFC 5214 section 6.1
        yield ipaddress.IPv4Address(number & 0xFFFFFFFF)


def is_metadata(address: IPAddress) -> bool:
    """Return whether a cloud's credentials may be served there, in any packing."""
    return any(meant in _METADATA for meant in iter_meant(address))


def is_public(address: IPAddress) -> bool:
    """Return whether this is global unicast, and everything packed into it too."""
    if is_metadata(address):
        return False
    packed = list(iter_meant(address))[1:]
    if not all(_is_public_4(inner) for inner in packed if inner.version == 4):
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return _is_public_4(address)
    if address.ipv4_mapped or address in _NAT64 or address.sixtofour or address.teredo:
        return True
    return address in _UNICAST_6 and not any(address in network for network in _NOT_PUBLIC_6)


def _is_public_4(address: IPAddress) -> bool:
    return not any(address in network for network in _NOT_PUBLIC_4)

"""Ranges of addresses as rules write them, such as 10.0.0.0/8, and which of them are refused."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

from router.domain.patterns import MAPPED, WIDTHS, AddressRange

SHORTEST = {4: 8, 6: 16}
"""How many bits the addresses of a range must have in common at least."""

MOST = 16
"""How many ranges of the shortest prefix may be held together, apart: a sixteenth of all IPv4 addresses."""

_PRIVATE = (IPv6Network("fc00::/7"), IPv6Network("fe80::/10"))
"""What is wider and yet no more than one's own addresses."""

_RANGE = re.compile(r"[0-9a-f:.]+/[0-9]{1,3}", re.IGNORECASE)


def looks_like_range(text: str) -> bool:
    """Whether a text is meant as a range of addresses."""
    return "/" in text and _RANGE.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def read_range(text: str) -> AddressRange | str:
    """The range that a text stands for, or what is wrong with it."""
    try:
        network = ip_network(text)
    except ValueError:
        return _complaint_about(text)
    if isinstance(network, IPv6Network) and network.supernet_of(MAPPED):
        return (
            f"{text!r} holds every IPv4 address, as these are mapped into IPv6: a rule may not cover a whole alert type"
        )
    range = AddressRange.of(network)
    return range if _is_narrow(range.network) else f"{text!r} {_too_wide(range.network)}"


def find_breadth_of(ranges: Iterable[AddressRange]) -> str | None:
    """What is wrong with ranges that together are one that is too wide; None where they are not."""
    networks = [range.network for range in ranges]
    whole: tuple[IPv4Network | IPv6Network, ...] = (
        *collapse_addresses(network for network in networks if isinstance(network, IPv4Network)),
        *collapse_addresses(network for network in networks if isinstance(network, IPv6Network)),
    )
    for network in whole:
        if not _is_narrow(network):
            return f"holds {network} with its ranges together, which {_too_wide(network)}"
    for version, shortest in SHORTEST.items():
        sizes = [network.num_addresses for network in whole if network.version == version and not network.is_private]
        if sum(sizes) > MOST * 2 ** (WIDTHS[version] - shortest):
            return (
                f"holds more IPv{version} addresses with its ranges together than {MOST} ranges of {shortest} bits: "
                "a rule may not cover a whole alert type"
            )
    return None


def _is_narrow(network: IPv4Network | IPv6Network) -> bool:
    if network.prefixlen >= SHORTEST[network.version]:
        return True
    return isinstance(network, IPv6Network) and any(map(network.subnet_of, _PRIVATE))


def _too_wide(network: IPv4Network | IPv6Network) -> str:
    return (
        "is too wide: a rule may not cover a whole alert type; "
        f"an IPv{network.version} range has a prefix of at least {SHORTEST[network.version]} bits"
    )


def _complaint_about(text: str) -> str:
    address, _, _ = text.partition("/")
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return f"{text!r} is no range of addresses; write it like 10.20.0.0/16 or 2001:db8::/32"
    return (
        f"{text!r} has bits set beyond its prefix, so it is unclear; write {network} for the range, "
        f"or {address} for the one address"
    )

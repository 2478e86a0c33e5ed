"""What rules match texts by: globs, and ranges of IP addresses.

A glob is anchored, ignores case, and has `*` for any text (also `/`) and `?` for one character. An IPv4 address that is mapped
into IPv6 is the IPv4 address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import translate
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from itertools import chain


@lru_cache(maxsize=16_384)
def glob_pattern(glob: str) -> re.Pattern[str]:
    """The pattern that matches what a glob fits."""
    # fnmatch compiles to atomic groups, so no glob makes matching explode; its character classes are not ours.
    return re.compile(translate(glob.replace("[", "[[]")), re.IGNORECASE)


def is_glob(text: str) -> bool:
    """Whether a text fits more than itself."""
    return "*" in text or "?" in text


def fixed_beginning(glob: str) -> str:
    """What every text begins with that a glob fits, whatever the case; empty where that is nothing."""
    return glob.partition("*")[0].partition("?")[0]


def covers_glob(wider: str, narrower: str) -> bool:
    """Whether it is certain that one glob fits whatever another one fits."""
    star, at, begun, place = -1, 0, 0, 0
    # The latest star takes as much as it must: no glob makes this slow.
    while place < len(narrower):
        if at < len(wider) and wider[at] == "*":
            star, begun, at = at, place, at + 1
        elif at < len(wider) and _covers_character(wider[at], narrower[place]):
            at, place = at + 1, place + 1
        elif star >= 0:
            begun += 1
            at, place = star + 1, begun
        else:
            return False
    return not wider[at:].strip("*")


def _covers_character(wider: str, narrower: str) -> bool:
    return narrower != "*" and (wider == "?" or wider.lower() == narrower.lower())


type Network = IPv4Network | IPv6Network

MAPPED = IPv6Network("::ffff:0:0/96")
"""The IPv4 addresses as IPv6 addresses."""


@lru_cache(maxsize=4096)
def find_address(text: str) -> IPv4Address | IPv6Address | None:
    """The address that a text is, whatever its spelling; None where it is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address


def unmapped(network: Network) -> Network:
    """The same network, of IPv4 addresses where these are mapped into IPv6."""
    if isinstance(network, IPv6Network) and network.subnet_of(MAPPED):
        return IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - MAPPED.prefixlen))
    return network


def find_prefix(text: str, version: int, length: int) -> int | None:
    """The first bits of the address that a text is; None where it is none of that version."""
    address = find_address(text)
    if address is None or address.version != version:
        return None
    return int(address) >> (address.max_prefixlen - length)


class AddressRanges:
    """Networks by version and length, the longest first, and by prefix: an address costs a look-up for each length."""

    def __init__(self, by_length: Mapping[tuple[int, int], Mapping[int, Network]]) -> None:
        self.by_length = by_length

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AddressRanges) and self.by_length == other.by_length

    @classmethod
    def from_networks(cls, networks: Iterable[Network]) -> AddressRanges:
        """Those networks."""
        by_length: dict[tuple[int, int], dict[int, Network]] = {}
        for one in sorted(map(unmapped, networks), key=lambda one: (one.version, -one.prefixlen, one.network_address)):
            prefix = int(one.network_address) >> (one.max_prefixlen - one.prefixlen)
            by_length.setdefault((one.version, one.prefixlen), {})[prefix] = one
        return cls(by_length)

    def __bool__(self) -> bool:
        return bool(self.by_length)

    def __hash__(self) -> int:
        return hash(tuple(self.by_length))

    def __iter__(self) -> Iterator[Network]:
        return chain.from_iterable(by_prefix.values() for by_prefix in self.by_length.values())

    def find(self, text: str) -> Network | None:
        """The narrowest network that holds the address that a text is; None where none does, or where it is no address."""
        for length, by_prefix in self.by_length.items():
            if (prefix := find_prefix(text, *length)) is not None and (found := by_prefix.get(prefix)) is not None:
                return found
        return None

    def covers(self, network: Network) -> bool:
        """Whether one of them holds every address of another network."""
        return any(one.version == network.version and network.subnet_of(one) for one in self)  # type: ignore[arg-type]


NO_RANGES = AddressRanges({})

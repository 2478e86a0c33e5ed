"""What rules match texts by: globs, and ranges of IP addresses.

A glob is anchored, ignores case, and has `*` for any text (also `/`) and `?` for one character. An IPv4 address that is mapped
into IPv6 is the IPv4 address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple


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


WIDTHS = {4: 32, 6: 128}
"""How many bits an address has, by its version."""
MAPPED = IPv6Network("::ffff:0:0/96")
"""The IPv4 addresses as IPv6 addresses."""


class IPNumber(NamedTuple):
    """An IP address as a number of its version."""

    version: int
    number: int

    @property
    def width(self) -> int:
        """How many bits it has."""
        return WIDTHS[self.version]


@lru_cache(maxsize=4096)
def find_address(text: str) -> IPNumber | None:
    """The address that a text is, whatever its spelling; None where it is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return IPNumber(4, int(mapped)) if mapped is not None else IPNumber(address.version, int(address))


class AddressRange(NamedTuple):
    """All addresses that begin with the same `length` bits, which as a number are `prefix`."""

    version: int
    length: int
    prefix: int

    @classmethod
    def from_network(cls, network: IPv4Network | IPv6Network) -> AddressRange:
        """A network as a range; one of IPv4 addresses that are mapped into IPv6 is the range of these."""
        version, length = network.version, network.prefixlen
        number = int(network.network_address)
        if isinstance(network, IPv6Network) and network.subnet_of(MAPPED):
            version, length, number = 4, length - MAPPED.prefixlen, number & 0xFFFFFFFF
        return cls(version, length, number >> (WIDTHS[version] - length))

    @property
    def network(self) -> IPv4Network | IPv6Network:
        """The range as the standard library has it."""
        number = self.prefix << (WIDTHS[self.version] - self.length)
        if self.version == 4:
            return IPv4Network((IPv4Address(number), self.length))
        return IPv6Network((IPv6Address(number), self.length))

    def __str__(self) -> str:
        return str(self.network)

    def is_within(self, other: AddressRange) -> bool:
        """Whether every address of it is also in another range."""
        surplus = self.length - other.length
        return self.version == other.version and surplus >= 0 and self.prefix >> surplus == other.prefix


@dataclass(frozen=True, slots=True)
class AddressRanges:
    """Some ranges, by version and length, the longest first; an address costs a look-up for each different length."""

    by_length: tuple[tuple[int, int, frozenset[int]], ...] = ()

    @classmethod
    def from_ranges(cls, ranges: Iterable[AddressRange]) -> AddressRanges:
        """Those ranges."""
        prefixes: dict[tuple[int, int], set[int]] = {}
        for version, length, prefix in ranges:
            prefixes.setdefault((version, length), set()).add(prefix)
        ordered = sorted(prefixes.items(), key=lambda item: (item[0][0], -item[0][1]))
        return cls(tuple((version, length, frozenset(some)) for (version, length), some in ordered))

    def __bool__(self) -> bool:
        return bool(self.by_length)

    def __iter__(self) -> Iterator[AddressRange]:
        for version, length, prefixes in self.by_length:
            for prefix in sorted(prefixes):
                yield AddressRange(version, length, prefix)

    def find(self, text: str) -> AddressRange | None:
        """The narrowest range that holds the address that a text is; None where none does, or where it is no address."""
        address = find_address(text)
        if address is None:
            return None
        for version, length, prefixes in self.by_length:
            if version == address.version and (prefix := address.number >> (address.width - length)) in prefixes:
                return AddressRange(version, length, prefix)
        return None


NO_RANGES = AddressRanges()

"""How keys are spread over partitions, and times and numbers written so that they sort."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import blake2b

SHARDS = 8
"""Partitions for the signals of a stream, and for each destination: 16,000 rows a second, near an account's 20,000."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def shard_of(key: str) -> int:
    """The shard of a key of any kind, the same for ever."""
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=1).digest()[0] % SHARDS


def named(key: str) -> str:
    """A key of any kind as a part of a row key: 32 digits, since tables refuse some characters and long names."""
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789._-")


def escaped(text: str) -> str:
    """A text as a part of a row key, of which those that begin alike still do.

    A key takes no slash, question mark, number sign or control character, and how others sort is the service's own affair:
    what is not plain is written as its bytes.
    """
    return "".join(chr(one) if one in _PLAIN else f"!{one:02x}" for one in text.encode("utf-8", "surrogatepass"))


def sorting(time: datetime | None) -> str:
    """A time in 17 digits, whole microseconds since 1970, which sort as times do; nothing for no time.

    Filters on columns that a row lacks mean one thing in Azure and another in Azurite, so no row lacks one.
    """
    return f"{(time - EPOCH) // _MICROSECOND:017d}" if time is not None else ""


def instant(digits: str | int) -> datetime:
    """The time that those digits stand for."""
    return EPOCH + int(digits) * _MICROSECOND


def find_instant(digits: str) -> datetime | None:
    """The time that those digits stand for, if there are any."""
    return instant(digits) if digits else None


def ordered(number: int) -> str:
    """A number in 20 digits, which sort as numbers do; none below nothing."""
    return f"{number:020d}"

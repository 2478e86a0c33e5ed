"""URLs, hosts and mail addresses that people write into the rules.

What is said of a wrong URL never repeats it: it may hold a secret.
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from router.domain.patterns import find_address

_PART = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}$){_PART}(?:\.{_PART})*\.?")
_WEB = ("http", "https")


def split_url(text: str) -> SplitResult:
    """The parts of a web address with a sound host, and without user and password; raises ValueError for any other text."""
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError("a URL is written in printable ASCII, without spaces")
    url = _split(text)
    if url.scheme not in _WEB:
        raise ValueError("must be an https URL; http is for loopback only")
    host = url.hostname or ""
    if not host or "@" in url.netloc:
        raise ValueError("must name a host, and no user or password")
    if not is_host(host):
        raise ValueError("must name a host whose parts have 1 to 63 letters, digits and hyphens")
    if not _has_sound_port(url):
        raise ValueError("must name a port by its number")
    return url


def is_host(text: str) -> bool:
    """Whether a text can be the name or the address of a host."""
    return _HOST.fullmatch(text) is not None or find_address(text) is not None


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: localhost, 127.0.0.0/8 or ::1."""
    address = find_address(host)
    return address.is_loopback if address is not None else host == "localhost"


def _split(text: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError:  # whose text would show what stands there
        raise ValueError("must be a URL") from None


def _has_sound_port(url: SplitResult) -> bool:
    try:
        return url.port is None or url.port > 0
    except ValueError:  # whose text would show what stands there, and a password may
        return False


EXAMPLE = "example"
"""The top-level domain in which no name is given out: https://www.rfc-editor.org/rfc/rfc2606#section-2"""


def is_example(host: str) -> bool:
    """Whether a host ends in `.example`, so that it stands for one that is yet to be named; such a host is never asked."""
    return host.rstrip(".").lower().rpartition(".")[2] == EXAMPLE


def never_asked(host: str) -> str:
    """What is said of such a host."""
    return f"{host}: ends in .example, which is nobody's and never asked; name your own host in the rules"


_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`|~.-]{1,64}@[A-Za-z0-9.-]{1,253}")
_ATOMS = re.compile(r"[^.]+(?:\.[^.]+)*")


def is_mail_address(text: str) -> bool:
    """Whether a text is one mail address, without a name, and nothing else."""
    return _ADDRESS.fullmatch(text) is not None and all(map(_ATOMS.fullmatch, text.split("@")))

"""Which version of the program is installed, and from where, as a workflow can install it again."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from urllib.parse import SplitResult, urlsplit

from router.app.extras import PACKAGE, find_source
from router.domain.legible import one_line

_WEB = "https"
_COMMIT = re.compile(r"[0-9a-f]{40,64}")
_NAMED = re.compile(rf"{PACKAGE}(\[[a-z, ]*\])? ?@ ?(?P<where>.+)")
_OF_PIP = frozenset({"egg", "subdirectory", "md5", "sha1", "sha224", "sha256", "sha384", "sha512"})
_SSH = re.compile(r"[a-z0-9_-]*", re.IGNORECASE)
"""Who one is to a server that asks for a key: no secret."""


def find_version() -> str | None:
    """The version of the installed program; None where it runs without being installed."""
    from importlib.metadata import PackageNotFoundError, version  # for which `--help` does not wait

    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return None


def find_origin() -> str | None:
    """The commit that the installed program was made from, where anybody can get it; no credentials are in it.

    None where it came from an index, a file or a directory: what such a name means elsewhere, somebody else may decide.
    """
    source = find_source()
    return source if source is not None and source.startswith("git+https://") and is_fixed(source) else None


def origin_in(text: str) -> str:
    """What `--from` names; raises ArgumentTypeError for what no workflow could install, or should not."""
    if one_line(text) != text or not text.strip():
        raise ArgumentTypeError(_NO_URL)
    named = _NAMED.fullmatch(text)
    where = named["where"] if named is not None else text
    if where.startswith("./"):  # a file of the repository itself
        return text
    try:
        url = urlsplit(where)
    except ValueError:
        raise ArgumentTypeError(_NO_URL) from None
    if _has_credentials(url):
        raise ArgumentTypeError("the URL holds credentials, which everybody would read in the workflow; leave them out")
    if url.scheme not in (_WEB, "git+https", "git+ssh") or not url.hostname:
        raise ArgumentTypeError(_NO_URL)
    return text


_NO_URL = (
    f"is no URL that a workflow can get; write one such as git+https://HOST/OWNER/{PACKAGE}@COMMIT, or that of a wheel"
)
"""What was written is not repeated: a password may stand in it, wherever that is."""


def is_fixed(origin: str) -> bool:
    """Whether an origin is the same program for ever: a commit, a file of the repository, or a file with its digest."""
    path, _, fragment = origin.partition("#")
    if "git+" in path:
        return _COMMIT.fullmatch(path.rpartition("@")[2]) is not None
    return path.startswith("./") or "sha256=" in fragment


def _has_credentials(url: SplitResult) -> bool:
    who, at, _ = url.netloc.rpartition("@")
    if at and not (url.scheme == "git+ssh" and _SSH.fullmatch(who)):
        return True
    # What a query says beside a path is what a server lets its bearer do; behind a # pip takes a few keys, none of them secret.
    said = {part.partition("=")[0] for part in url.fragment.split("&") if part}
    return bool(url.query) or not said <= _OF_PIP

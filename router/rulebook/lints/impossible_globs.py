"""What to say of globs of subscriptions, accounts and resources that fit nothing that messages ever name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from router.domain.owners import NamedScope, NamedScopes
from router.domain.patterns import is_glob
from router.rulebook.globs import compile_globs, could_fit

_HEX = frozenset("0123456789abcdef")
_GUID = [_HEX if place not in (8, 13, 18, 23) else frozenset("-") for place in range(36)]
"""The characters of a subscription's id, place by place."""
_ACCOUNT = [frozenset("0123456789")] * 12
_OF_AWS = "aws"
"""The account in the ARNs of what belongs to AWS itself."""

_BEGINNINGS = (
    "/subscriptions/", "/providers/", "/tenants/", "/repositories/", "/projects/", "projects/", "//", "arn:",
)  # fmt: skip
"""How the names of resources begin, but for those that begin with a service of Google's."""
_GOOGLE = re.compile(r"[a-z]+(?:\.[a-z.]*(?:/.*)?)?", re.DOTALL)
"""A beginning of such a name: storage.googleapis.com/..."""


class InVain(NamedTuple):
    """A glob that fits nothing.

    Attributes:
        key: the key that it stands under.
        glob: the glob.
        message: why nothing has it, and what to do.
    """

    key: str
    glob: str
    message: str


@dataclass(frozen=True, slots=True)
class NamedIds:
    """What owners.yaml calls subscriptions and accounts: people write these names where ids belong.

    Attributes:
        subscriptions: the ids of subscriptions by these names, in lower case.
        accounts: those of AWS accounts likewise.
    """

    subscriptions: Mapping[str, str] = field(default_factory=dict)
    accounts: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, scopes: NamedScopes) -> Self:
        """The names that owners.yaml gives."""
        return cls(_ids_by_name(scopes.subscriptions), _ids_by_name(scopes.accounts))

    def find_in_vain(self, globs: Mapping[str, str]) -> Iterator[InVain]:
        """Those of some globs, by their keys, that fit nothing; of other keys nothing is known."""
        finders = (
            ("subscription", self._about_subscription),
            ("account", self._about_account),
            ("resource", _about_resource),
        )
        for key, find in finders:
            if (glob := globs.get(key)) is not None and (message := find(glob)) is not None:
                yield InVain(key, glob, message)

    def _about_subscription(self, glob: str) -> str | None:
        if could_fit(glob.lower(), _GUID):
            return None
        return f"fits no subscription's id, which is a GUID; {_remedy(glob, self.subscriptions)}"

    def _about_account(self, glob: str) -> str | None:
        if could_fit(glob.lower(), _ACCOUNT) or compile_globs([glob])(_OF_AWS):
            return None
        return f"fits no AWS account's id, which has 12 digits; {_remedy(glob, self.accounts)}"


def _remedy(glob: str, ids: Mapping[str, str]) -> str:
    id = ids.get(glob.lower())
    return f"that of {glob!r} is {id}" if id else "write an id, or a glob of ids"


def _about_resource(glob: str) -> str | None:
    fixed = re.split(r"[*?]", glob, maxsplit=1)[0].lower()
    may_begin_so = any(one.startswith(fixed) or fixed.startswith(one) for one in _BEGINNINGS)
    is_whole_name = is_glob(glob) or "/" in glob or ":" in glob
    if is_whole_name and (may_begin_so or _GOOGLE.fullmatch(fixed)):
        return None
    example = f"*/{glob.strip('*/')}"
    return f"fits no resource's id from its beginning to its end; write a glob such as {example} or {example}/*"


def _ids_by_name(scopes: Mapping[str, NamedScope]) -> Mapping[str, str]:
    return {scope.name.lower(): id for id, scope in scopes.items() if scope.name is not None}

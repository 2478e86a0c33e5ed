"""What a person may do in the console, by the role that they have there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import IntEnum
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request

from router.app.settings import ROLES
from router.domain.errors import BadSetting


class Role(IntEnum):
    """What a person may do: each role may do what the one below it may."""

    READER = 1
    OPERATOR = 2
    ADMIN = 3

    @property
    def words(self) -> str:
        """The role as people and settings write it."""
        return self.name.capitalize()


class Visitor(NamedTuple):
    """A person who is let in.

    Attributes:
        name: as it stands on record beside what they do.
        sign_out: the path that ends their visit; empty where there is none.
    """

    name: str
    role: Role
    sign_out: str = ""

    def may(self, role: str) -> bool:
        """Return whether they may do what a role may; templates ask this."""
        return self.role >= Role[role]


def visitor_in(request: Request) -> Visitor:
    """Return who makes a request that was let in."""
    found: Visitor = request.state.visitor
    return found


def require(request: Request, role: Role) -> None:
    """Raise HTTPException where who makes a request may not do what a role may."""
    if (visitor := visitor_in(request)).role < role:
        words = f"That is for who has the role {role.words}; {visitor.name} has {visitor.role.words}."
        raise HTTPException(403, words)


def read_role_map(written: str) -> Mapping[str, Role]:
    """Return the role that each claim gives, as in `Reader=soc-readers, Admin=soc-leads`; raises BadSetting."""
    roles: dict[str, Role] = {}
    for part in filter(None, map(str.strip, written.split(","))):
        name, equals, claim = map(str.strip, part.partition("="))
        if not (equals and claim and name in (known := {role.words: role for role in Role})):
            raise BadSetting(f"{ROLES}: {part!r} gives no role; write Reader=CLAIM, Operator=CLAIM, Admin=CLAIM")
        roles[claim] = max(roles.get(claim, Role.READER), known[name])
    if not roles:
        raise BadSetting(f"{ROLES}: gives nobody a role; write Reader=CLAIM, Operator=CLAIM, Admin=CLAIM")
    return roles


def role_by(claims: Collection[str], roles: Mapping[str, Role]) -> Role | None:
    """Return the highest role that any of the claims gives, None where none does."""
    return max((roles[claim] for claim in claims if claim in roles), default=None)

"""What a group's state holds of messages always fits into a column of its row, whatever they say."""

from __future__ import annotations

import random
import types
import zlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, Union, get_args, get_origin, get_type_hints

from router.domain.decisions import Change
from router.domain.groups import GroupState
from router.domain.ledger import Target, Turn
from router.domain.notices import Group, Notice
from router.domain.rulebook import Lane
from router.grouping.group_notices import NAMED, named_member, notice_to_open_with
from router.grouping.grouping_keys import MemberTurn
from router.store.codec import encode
from tests.builders import NOW

COLUMN = 64 * 1024
OURS = {
    "stream",
    "kind",
    "attack_version",
    "routes",
    "reason",
    "rulebook",
    "owner",
    "tactics",
    "techniques",
    "key",
    "group",
}
"""What is in a notice by the router's own rules and tables, and not by a message."""


class Flood:
    """Values that are as long as a message can make them, and that cannot be packed well."""

    def __init__(self) -> None:
        self._random = random.Random(7)  # noqa: S311  Only so that nothing can be packed well.

    def text(self) -> str:
        """A text of six hundred characters."""
        return "".join(chr(self._random.randrange(0x10000, 0x2FFFF)) for _ in range(600))

    def value(self, hint: Any) -> Any:
        """A value of a type with as much in it as there may be."""
        parts = [one for one in get_args(hint) if one is not type(None)]
        if get_origin(hint) in (types.UnionType, Union):
            return self.value(parts[0])
        if get_origin(hint) is tuple:
            return tuple(self.value(parts[0]) for _ in range(30))
        if get_origin(hint) is Mapping:
            return {self.text(): self.text()}
        if is_dataclass(hint):
            hints = get_type_hints(hint)
            return hint(**{one.name: self.value(hints[one.name]) for one in fields(hint)})  # type: ignore[operator]
        return self.text() if hint is str else 5 if issubclass(hint, int) else hint()

    def notice(self) -> Notice:
        """A notice with every text of its message."""
        plain: dict[str, Any] = {"stream": "cspm", "kind": "recommendation", "attack_version": "19", "owner": None}
        plain |= {"routes": ("high",), "reason": "routes: high", "rulebook": "0" * 16, "tactics": (), "techniques": ()}
        hints = get_type_hints(Notice)
        known = {one.name: self.value(hints[one.name]) for one in fields(Notice) if one.name not in OURS}
        return Notice(key="0" * 32, **plain, **known)


def test_the_state_of_a_group_always_fits_into_a_column() -> None:
    """Every text of twenty members and of the notice that waits is random, different and far too long."""
    flood = Flood()
    notice = flood.notice()
    named = tuple(
        named_member(replace(notice, key=f"{number:032}", title=flood.text(), compromised_entity=flood.text()))
        for number in range(NAMED)
    )
    values = tuple(("package", flood.text()[:200]) for _ in range(4))
    state = GroupState(
        group=Group(by=values, total=500, standing=500, named=named),
        turn=1,
        opened=1,
        is_open=True,
        severity="High",
        severity_written=flood.text()[:200],
        respond_by=None,
        at=NOW,
        window_key="0" * 32,
        note_due=NOW,
    )
    target = Target("tickets", Lane.TICKET, Change.OPENED, 1, True)
    turn = Turn(number=1, entry=None, notice=notice, targets=(target,))  # type: ignore[arg-type]
    words = notice_to_open_with(state, [MemberTurn(turn, notice, target)])
    packed = zlib.compress(encode(replace(state, waiting=words)))
    assert len(packed) < COLUMN, len(packed)

"""Groups that stand and that nobody was told of, nor waits to be: an older program counted them in silence. Pure.

Of such a group only its card is left, so it opens in the words of that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from router.domain.groups import Board, Cards, GroupCard
from router.domain.notices import Evidence, Notice
from router.domain.signals import Kind, Stream
from router.grouping.telling import words_left


def silent_in(groups: Mapping[str, GroupCard]) -> dict[str, GroupCard]:
    """Those of some standing groups that nobody was told of, and that do not wait."""
    return {key: card for key, card in groups.items() if not card.is_open and card.waiting is None}


def waiting_with(board: Board, silent: Mapping[str, GroupCard], stream: Stream) -> tuple[Board, Cards]:
    """The board and the cards by which silent groups wait for room like others."""
    words = _words_about(stream)
    waiting = {key: replace(card, waiting=words_left(card, words)) for key, card in silent.items()}
    return replace(board, waiting=tuple(dict.fromkeys((*board.waiting, *waiting)))), Cards(groups=waiting)


def _words_about(stream: Stream) -> Notice:
    """A notice of a signal of which nothing is known."""
    kind = Kind.ALERT if stream is Stream.CWPP else Kind.RECOMMENDATION
    return Notice(
        key="",
        turn=0,
        stream=stream.value,
        kind=kind.value,
        id="",
        type="",
        title="",
        description="",
        severity=None,
        severity_written=None,
        status=None,
        plan=None,
        sample=False,
        resource=None,
        resource_type=None,
        resource_group=None,
        subscription=None,
        compromised_entity=None,
        tactics=(),
        techniques=(),
        attack_version="",
        routes=(),
        reason="it stands beyond the limit, and nobody was told of it",
        rulebook="",
        link=None,
        remediation=(),
        evidence=Evidence(),
        owner=None,
        product=None,
        started=None,
        ended=None,
        changed=None,
    )

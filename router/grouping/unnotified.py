"""Groups that stand, that nobody was notified of, and that do not wait: an older program counted them in silence. Pure.

Of such a group only its state is left, so it opens with a notice of what that knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from router.domain.bare_notices import bare_notice
from router.domain.groups import AdmissionState, AggregationState, GroupState
from router.domain.notices import Notice
from router.domain.signals import Kind, Stream
from router.grouping.group_notices import notice_from_state


def is_unnotified(state: GroupState) -> bool:
    """Whether nobody was notified of a standing group, and it does not wait."""
    return not state.is_open and state.waiting is None


def with_waiting(
    admission: AdmissionState, unnotified: Mapping[str, GroupState], stream: Stream
) -> tuple[AdmissionState, AggregationState]:
    """The admission state and the group states by which unnotified groups wait for room like others."""
    unknown = _notice_of_unknown(stream)
    waiting = {key: replace(state, waiting=notice_from_state(state, unknown)) for key, state in unnotified.items()}
    queue = tuple(dict.fromkeys((*admission.waiting, *waiting)))
    return replace(admission, waiting=queue), AggregationState(groups=waiting)


def _notice_of_unknown(stream: Stream) -> Notice:
    """A notice of a signal of which nothing is known."""
    kind = Kind.ALERT if stream is Stream.CWPP else Kind.RECOMMENDATION
    return bare_notice(stream.value, kind.value, "it stands beyond the limit, and nobody was told of it")

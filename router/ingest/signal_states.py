"""The state of a signal's row after an observation, with all alerts that an incident ever named. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from router.domain.fingerprints import fingerprints_after
from router.domain.keys import alert_fingerprint
from router.domain.ledger import LedgerRow, State
from router.domain.signals import Finding, Kind
from router.ingest.observations import Observation
from router.parse import alerts_named_in

_KINDS = frozenset({Kind.ALERT.value, Kind.INCIDENT.value})


def state_after(observation: Observation, row: LedgerRow | None) -> State:
    """The state of a row after an observation.

    All alerts that an incident ever named are part of its state: more alerts change it, fewer do not. So is the kind in which
    the signal came back, where it is not the kind in which it was opened.
    """
    state, signal = observation.state, observation.signal
    if isinstance(signal, Finding):
        return state
    fingerprints = _fingerprints_in(row)
    if row is None or not (row.state.resolved and state.resolved):
        is_other = row is not None and row.key in observation.keys[1:]
        fingerprints = fingerprints_after(fingerprints - _KINDS, alerts_named_in(signal)).union(
            [signal.kind.value] if is_other else []
        )
    return state._replace(measure=" ".join(sorted(fingerprints)) or None)


def new_first(named: Sequence[str], row: LedgerRow | None) -> tuple[str, ...]:
    """The alerts that an incident names, those first that it did not name before, since a notice has room for so many only."""
    known = _fingerprints_in(row)
    return tuple(sorted(named, key=lambda alert: alert_fingerprint(alert) in known))


def _fingerprints_in(row: LedgerRow | None) -> frozenset[str]:
    measure = row.state.measure if row is not None else None
    return frozenset(measure.split()) if measure is not None else frozenset()

"""Parses what Defender exports: bytes become an Alert, a Finding, or Quarantined.

Pure and total: no body raises, and none costs more than time in proportion to its length. `bodies.py` has the order
of the steps, `shapes.py` the shapes, and each shape a reader in a file of its own.
"""

from router.parse.bodies import (
    LARGEST_BODY,
    MOST_ELEMENTS,
    Answer,
    Continuation,
    answer_in,
    is_empty_envelope,
    read_signals,
    split_body,
)
from router.parse.evidence import alerts_named_in, evidence_of

__all__ = [
    "LARGEST_BODY",
    "MOST_ELEMENTS",
    "Answer",
    "Continuation",
    "alerts_named_in",
    "answer_in",
    "evidence_of",
    "is_empty_envelope",
    "read_signals",
    "split_body",
]

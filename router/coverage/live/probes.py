"""The form of what asks: a probe yields requests and returns documents; an inquiry yields probes and is sent theirs. Pure."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace

from router.coverage.documents import CoverageDocument, Refusal
from router.domain.conversation import Asking

type Documents = tuple[CoverageDocument, ...]

type Probe = Asking[Documents]
"""One question. It raises nothing: what it could not learn is a refusal in one of its documents."""

type Inquiry = Generator[Sequence[Probe], Sequence[Documents], Documents]
"""Questions of which some depend on the answers to others: it yields probes, which run side by side, and is sent the documents
of each in the same order; it returns documents of its own. Those of the probes are the shell's already."""


def refused(name: str, reason: str) -> CoverageDocument:
    """The document of a question that was not answered; its name says what was asked."""
    return CoverageDocument(name=name, refusals=(Refusal(name, reason),))


def partly(document: CoverageDocument, reason: str) -> CoverageDocument:
    """A document of a question that was not answered to its end; what it has counts, and what it lacks is unknown."""
    return replace(document, refusals=(*document.refusals, Refusal(document.name, reason)))

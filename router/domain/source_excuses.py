"""Which exception of coverage.yaml excuses that a source is silent: one on the rung that its silence puts in doubt. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from router.domain.coverage_manifest import Excuse
from router.domain.expected_sources import ExpectedSource
from router.domain.source_turns import RUNGS


def find_silence_excuse(one: ExpectedSource, excuses: Iterable[Excuse], now: datetime) -> Excuse | None:
    """The exception that excuses the silence of a source now, of several the one that ends last; None where none does."""
    fitting = (excuse for excuse in excuses if now < excuse.exception.ends and is_about_silence(excuse, one))
    return max(fitting, key=lambda excuse: excuse.exception.ends, default=None)


def is_about_silence(excuse: Excuse, one: ExpectedSource) -> bool:
    """Whether an exception excuses the silence of a source until it ends; that of a plan is of its subscription."""
    return (not excuse.rungs or RUNGS[one.source.kind] in excuse.rungs) and excuse.selects.fits(one.workload)

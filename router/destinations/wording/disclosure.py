"""What people may be told of a notice: all but what is withheld, what looks like a credential, and what an AI was asked."""

from __future__ import annotations

from collections.abc import Collection

from router.destinations.wording.ai_alerts import outline_of
from router.destinations.wording.masking import masked_notice
from router.destinations.wording.withholding import withheld_from
from router.domain.ai_alerts import is_about_ai
from router.domain.notices import Notice


def disclosed(notice: Notice, withheld: Collection[str], *, has_ai_whole: bool) -> Notice:
    """A notice as it may be told: of an alert about AI an outline, unless all is told; withheld first, then masked."""
    told = notice if has_ai_whole or not is_about_ai(notice) else outline_of(notice)
    return masked_notice(withheld_from(told, withheld))

"""A silence as JSON for other programs."""

from __future__ import annotations

from datetime import datetime

from router.cli.silence_words import silence_scope_words
from router.domain.silences import Silence
from router.domain.texts import timestamp


def state_of(silence: Silence, now: datetime) -> str:
    """How a silence is: active, coming (it has a window yet to come), or over."""
    if silence.is_active(now):
        return "active"
    return "over" if silence.end <= now or silence.find_next_window(now) is None else "coming"


def document_for(silence: Silence, now: datetime) -> dict[str, object]:
    """A silence as it is printed for programs."""
    window = silence.find_next_window(now)
    return {
        "id": silence.id,
        "name": silence.name,
        "stream": silence.stream,
        "state": state_of(silence, now),
        "type": silence.alert_type,
        "scope": silence_scope_words(silence),
        "begins": timestamp(silence.begins),
        "ends": timestamp(silence.end),
        "first": timestamp(silence.first),
        "every": str(silence.every) if silence.every is not None else None,
        "next_window": {"begins": timestamp(window.begins), "ends": timestamp(window.ends)}
        if window is not None
        else None,
        "reason": silence.reason,
        "author": silence.author,
        "ticket": silence.ticket,
        "made": timestamp(silence.made),
        "ended": timestamp(silence.ended) if silence.ended is not None else None,
    }

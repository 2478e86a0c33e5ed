"""Rules directories for tests: sound ones, in which a test changes what it is about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from router.domain.rulebook import Route, Rulebook
from router.domain.signals import Stream
from router.rulebook import Loaded, load
from tests.builders import RULES
from tests.rulebook.kinds import KINDS

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def a_policy(stream: str = "cwpp", **parts: object) -> dict[str, object]:
    """A policy with one destination, `tickets`, where everything goes."""
    destinations = {"tickets": {"kind": "desk", "url": f"https://{stream}.example.com", "key": {"secret": "DESK_KEY"}}}
    return {"stream": stream, "destinations": destinations, "otherwise": ["tickets"], **parts}


def a_body(**properties: object) -> dict[str, object]:
    """A suppression rule as Defender writes it; a property of None is left out."""
    sound: dict[str, object] = {
        "alertType": "SQL.DB_BruteForce",
        "state": "Enabled",
        "reason": "Noise",
        "expirationDateUtc": "2027-06-01T00:00:00Z",
        "comment": "Scanner, owner secops@example.com",
        "suppressionAlertsScope": {"allOf": [{"field": "entities.ip.address", "in": ["10.20.0.5"]}]},
    }
    return {"properties": {key: value for key, value in (sound | properties).items() if value is not None}}


def rules_in(directory: Path, files: Mapping[str, object] | None = None, stream: str = "cwpp") -> Path:
    """A sound rules directory with some files added or replaced; what is no text is written as JSON, which YAML knows."""
    contents: dict[str, object] = {
        f"{stream}/policy.yaml": a_policy(stream),
        "attack.yaml": (RULES / "attack.yaml").read_text(encoding="utf-8"),
        **(files or {}),
    }
    for name, content in contents.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content, indent=2)
        path.write_text(text, encoding="utf-8")
    return directory


def loaded(directory: Path, files: Mapping[str, object] | None = None, stream: Stream = Stream.CWPP) -> Loaded:
    """What becomes of such a directory at NOW."""
    return load(rules_in(directory, files, stream), stream, KINDS, NOW)


def a_sound_rulebook(
    directory: Path, files: Mapping[str, object] | None = None, stream: Stream = Stream.CWPP
) -> Rulebook:
    """The rulebook of such a directory, which has one."""
    result = loaded(directory, files, stream)
    assert result.rulebook is not None, [str(problem) for problem in result.problems]
    return result.rulebook


def a_route(
    directory: Path,
    when: Mapping[str, object],
    stream: Stream = Stream.CWPP,
    files: Mapping[str, object] | None = None,
) -> Route:
    """The one route of a policy, with that `when`, beside other files."""
    policy = a_policy(stream, routes=[{"name": "one", "when": dict(when), "to": ["tickets"]}])
    (route,) = a_sound_rulebook(directory, {f"{stream}/policy.yaml": policy, **(files or {})}, stream).routes
    return route

"""Real messages, which nobody here wrote: all of them go through `run`, and none gets lost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import RULES
from tests.cli.house import House, column, ndjson
from tests.samples import SAMPLES

NOW = "2026-11-24T12:00:00Z"

pytestmark = pytest.mark.shared


MESSAGES = ("azure-rest-api-specs", "azure-sentinel-notebooks", "demisto-content", "stix-shifter")
"""The folders of messages; what else lies there, or comes to lie there, is no message of Defender's."""


def the_files() -> list[Path]:
    """Every file of messages, in one order."""
    return sorted(path for folder in MESSAGES for path in _files_in(SAMPLES / folder))


def _files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.suffix in (".json", ".csv")]


def unwrapped() -> Iterator[object]:
    """The bodies inside the REST examples: each answer, each element of a list, and what requests send."""
    for path in sorted((SAMPLES / "azure-rest-api-specs").rglob("*.json")):
        example = json.loads(path.read_bytes())
        bodies = [answer.get("body") for answer in example.get("responses", {}).values()]
        bodies += [value for value in example.get("parameters", {}).values() if isinstance(value, dict)]
        for body in filter(None, bodies):
            yield from body["value"] if isinstance(body.get("value"), list) else [body]


def outcomes(decisions: list[dict[str, str]]) -> dict[tuple[str, str, str], int]:
    """How many decisions there are by kind, outcome and the code of the reason."""
    codes = (reason.partition(": ")[0] for reason in column(decisions, "reason"))
    return dict(Counter(zip(column(decisions, "kind"), column(decisions, "outcome"), codes, strict=True)))


def test_the_files_as_they_stand(house: House) -> None:
    """Rows and lists are alerts; a REST example wraps its message, so that it is kept in quarantine, whole.

    So are 39 rows of Sentinel's and Defender for Endpoint's.
    """
    files = the_files()
    decisions = house.routes("--now", NOW, *files)
    assert outcomes(decisions) == {
        ("alert", "routed", "routes"): 93,
        ("alert", "routed", "otherwise"): 46,
        ("alert", "below_floor", "floor"): 19,
        ("unknown", "quarantined", "unknown_shape"): 145 + 39,
    }
    assert len(decisions) == len({decision["source"] for decision in decisions})


def test_the_bodies_inside_the_rest_examples(house: House) -> None:
    """What the examples wrap is told by its shape: findings and alerts are routed, definitions are not signals."""
    bodies = list(unwrapped())
    decisions = house.routes("--now", NOW, house.writes("bodies.ndjson", ndjson(*bodies)))
    assert len(decisions) == len(bodies)
    assert outcomes(decisions) == {
        ("alert", "below_floor", "floor"): 4,
        ("alert", "resolved", "status"): 1,
        ("alert", "repeat", "same"): 15,
        ("incident", "routed", "routes"): 1,
        ("incident", "routed", "otherwise"): 1,
        ("incident", "repeat", "same"): 19,
        ("incident", "repeat", "older"): 11,
        ("recommendation", "resolved", "status"): 3,
        ("recommendation", "repeat", "same"): 15,
        ("vulnerability", "routed", "otherwise"): 2,
        ("vulnerability", "resolved", "status"): 1,
        ("vulnerability", "repeat", "same"): 1,
        ("secure_score", "noted", "kind"): 1,
        ("secure_score", "repeat", "same"): 3,
        ("secure_score_control", "noted", "kind"): 12,
        ("secure_score_control", "repeat", "same"): 60,
        ("compliance", "noted", "kind"): 10,
        ("compliance", "repeat", "same"): 3,
        # Definitions, rules, automations and simulations: what Defender is told, not what it says.
        ("unknown", "quarantined", "unknown_shape"): 79,
    }


def test_again_they_are_repeats(house: House) -> None:
    """A second run of everything opens nothing."""
    files = [*the_files(), Path(house.writes("bodies.ndjson", ndjson(*unwrapped())))]
    house.routes("--now", NOW, *files)
    sent = len(house.lines("everything.ndjson"))
    again = house.routes("--now", NOW, *files)
    assert set(column(again, "outcome")) <= {"repeat", "below_floor", "quarantined"}
    assert len(house.lines("everything.ndjson")) == sent


def test_whatever_else_lies_there_has_an_outcome(house: House) -> None:
    """Rules, answers of ARM, manifests of clusters: each document is decided or kept, and none is a fault of ours."""
    others = sorted(set(_files_in(SAMPLES)) - set(the_files()))
    decisions = house.routes("--now", NOW, *others)
    assert len(decisions) >= len(others)
    assert "internal" not in {reason.partition(": ")[0] for reason in column(decisions, "reason")}


def test_a_dry_run_under_the_starter_rules(house: House) -> None:
    """The rules that this project ships have a decision on each."""
    decisions = house.routes("--dry-run", "--now", NOW, "--rules", RULES, *the_files())
    assert {"routed", "below_floor", "quarantined"} == set(column(decisions, "outcome"))

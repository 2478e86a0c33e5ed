"""Real messages, which nobody here wrote: all of them go through `run`, and none gets lost."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import RULES
from tests.cli.house import House, Transcript, column, ndjson
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


def outcomes(decisions: list[dict[str, str]]) -> str:
    """How many decisions there are by kind, outcome and the code of the reason, a line each."""
    codes = (reason.partition(": ")[0] for reason in column(decisions, "reason"))
    counted = Counter(zip(column(decisions, "kind"), column(decisions, "outcome"), codes, strict=True))
    return "\n".join(f"{count} {' '.join(what)}" for what, count in sorted(counted.items()))


def test_each_has_its_outcome_and_a_second_run_of_everything_opens_nothing(
    house: House, transcript: Transcript
) -> None:
    """Rows and lists are alerts; a REST example wraps its message, so that it is kept in quarantine, whole.

    So are 39 rows of Sentinel's and Defender for Endpoint's. What the examples wrap is told by its shape: findings and alerts
    are routed; definitions, rules, automations and simulations are what Defender is told, not what it says.
    """
    files, bodies = the_files(), list(unwrapped())
    decisions = house.routes("--now", NOW, *files)
    transcript.notes("the files as they stand", outcomes(decisions))
    assert len(decisions) == len({decision["source"] for decision in decisions})
    inside = house.writes("bodies.ndjson", ndjson(*bodies))
    decisions = house.routes("--now", NOW, inside)
    transcript.notes("the bodies inside the REST examples", outcomes(decisions))
    assert len(decisions) == len(bodies)
    sent = len(house.lines("everything.ndjson"))
    again = house.routes("--now", NOW, *files, inside)
    assert set(column(again, "outcome")) <= {"repeat", "below_floor", "quarantined"}
    assert len(house.lines("everything.ndjson")) == sent


def test_whatever_else_lies_there_has_an_outcome_and_the_starter_rules_decide_on_each(house: House) -> None:
    """Rules, answers of ARM, manifests of clusters: each document is decided or kept, and none is a fault of ours."""
    others = sorted(set(_files_in(SAMPLES)) - set(the_files()))
    decisions = house.routes("--now", NOW, *others)
    assert len(decisions) >= len(others)
    assert "internal" not in {reason.partition(": ")[0] for reason in column(decisions, "reason")}
    decisions = house.routes("--dry-run", "--now", NOW, "--rules", RULES, *the_files())
    assert {"routed", "below_floor", "quarantined"} == set(column(decisions, "outcome"))

"""`rules check` reads and judges rules/coverage.yaml with the other rules, in every format."""

from __future__ import annotations

import json

from tests.cli.house import House
from tests.cli.transcripts import Transcript

AT = ("--now", "2026-11-25T12:00:00Z")
BROKEN = "expect:\n  - kind: clusters\n"
WARNED = "exceptions:\n  - {kind: cluster, owner: a@b.example, reason: rebuilt, ends: 2026-11-25}\n"


def test_a_mistake_is_a_line_and_ends_with_1_and_a_warning_is_none_unless_it_is_strict(
    house: House, transcript: Transcript
) -> None:
    """With its file and its line, in every format; the rules of the streams are not to blame, and stop no alert."""
    check = f"rules check {' '.join(AT)}"
    house.writes("rules/coverage.yaml", BROKEN)
    assert transcript(check, f"{check} --format github", f"{check} --format junit").code == 1
    assert transcript("rules test").code == 0
    house.writes("rules/coverage.yaml", WARNED)
    assert transcript(check, f"{check} --format junit").code == 0
    assert transcript(f"{check} --strict").code == 1
    schema = json.loads(house.says("rules", "schema", "coverage").out)
    assert set(schema["properties"]) == {"$schema", "export", "posture", "heard_within", "expect", "exceptions"}


def test_a_directory_with_a_manifest_alone_is_checked(house: House, transcript: Transcript) -> None:
    """Whoever runs the gate alone has no streams; other files are rules of streams that are missing."""
    house.writes("gate/coverage.yaml", "expect: [{kind: cluster}]")
    house.writes("gate/README.md", "who owns it")
    assert transcript("rules check gate").code == 0
    house.writes("gate/coverage.yaml", BROKEN)
    assert transcript("rules check gate").code == 1
    for name in ("owners.yaml", "cwpp"):
        house.writes(f"{name}-gate/coverage.yaml", BROKEN)
        house.writes(f"{name}-gate/{name}", "")
        transcript(f"rules check {name}-gate")
    transcript("rules test gate")


def test_a_kind_is_known_by_what_azure_calls_it(house: House) -> None:
    """Alone and in a list; a word that means nothing has no hint, nor has what is no word."""

    def says(kind: str) -> str:
        house.writes("rules/coverage.yaml", f"expect:\n  - kind: {kind}\n")
        said = house.says("rules", "check", *AT)
        assert said.code == 1
        return said.out

    for word, kind in (("VMs", "machine"), ("aks", "cluster"), ("acr", "registry"), ("clusters", "cluster")):
        assert f"; did you mean '{kind}'?" in says(word)
        assert f"; did you mean '{kind}'?" in says(f"[machine, {word}]")
    for written in ("xyz", "[[vm]]", "3", "{vm: 1}"):
        assert "did you mean" not in says(written)

"""What hadolint and zizmor say is a line for each thing; that they could not look is one, too."""

import json
from pathlib import Path

import pytest

from infra import linting

FOUND = {
    "ident": "unpinned-uses",
    "desc": "unpinned action reference",
    "locations": [
        {"symbolic": {"kind": "Hidden"}},
        {
            "symbolic": {"kind": "Primary", "key": {"Local": {"verbatim_path": ".github/workflows/a.yml"}}},
            "concrete": {"location": {"start_point": {"row": 6}}},
        },
    ],
}
NOT_PINNED = {"file": "Dockerfile", "line": 3, "code": "DL3006", "message": "tag it"}


@pytest.mark.parametrize(
    ("said", "lines"),
    [
        ({}, ["hadolint: not installed; run `make infra-check`, which brings it"]),
        ({"hadolint": "[]"}, ["zizmor: not installed; run `make infra-check`, which brings it"]),
        ({"hadolint": "[]", "zizmor": "[]"}, []),
        ({"hadolint": "", "zizmor": "[]"}, ["hadolint: could not look: it is broken"]),
        (
            {"hadolint": json.dumps([NOT_PINNED]), "zizmor": json.dumps([FOUND])},
            ["Dockerfile:3: DL3006: tag it", ".github/workflows/a.yml:7: unpinned-uses: unpinned action reference"],
        ),
    ],
)
def test_each_finding_is_a_line_that_names_the_place(tmp_path: Path, said: dict[str, str], lines: list[str]) -> None:
    """None is taken for well where a program is missing or broken. Their exit codes say nothing that they do not print."""
    for name, words in said.items():
        (tmp_path / name).write_text(f"#!/bin/sh\necho it is broken >&2\ncat <<'END'\n{words}\nEND\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    assert list(linting.problems(tmp_path, tmp_path)) == lines

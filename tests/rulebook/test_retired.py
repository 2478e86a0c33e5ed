"""Rules and routes on what Microsoft retired, deprecated or renamed are warned about, with what to put in its place."""

from __future__ import annotations

import pytest

from router.domain.signals import Stream
from tests.rulebook.builders import a_body, a_policy, checked

KEY = "0354476c-a12a-4fcc-a79d-f0ab7ffffdbb"
HEIR = "009678ce-adce-4c94-9cc8-cfc2bd0c6a06"


RETIRED: list[tuple[str, Stream, str | None]] = [
    (KEY, Stream.CSPM, f"names the assessment {KEY} (guests who may write), which was retired on 2026-07-31; put {HEIR}"),
    (f"/providers/Microsoft.Security/assessments/{KEY.upper()}", Stream.CSPM, f"names the assessment {KEY}"),
    ("1195afff-c881-495e-9bc5-1486211ae03f", Stream.CSPM, "put the recommendation category SoftwareUpdate in its place"),
    ("AI.Azure_PhishingContentInUserPrompt", Stream.CWPP, "is deprecated since 2025-09; put AI.Azure_MaliciousUrl.User"),
    ("ai.azure_agentic_dowvolumeanomaly", Stream.CWPP, "is deprecated since 2026-07-01; no successor is known"),
    # What took its place is deprecated by now, too.
    ("AI.Azure_DataLeakInModelResponse.Sensitive", Stream.CWPP, "is deprecated since 2025-04-20; no successor is known"),
    (HEIR, Stream.CSPM, None),
    ("SQL.DB_BruteForce", Stream.CWPP, None),
]  # fmt: skip


def test_what_is_gone_is_said_of_rules_and_routes(subtests: pytest.Subtests) -> None:
    """At the type, as a warning: the rule stays in force for what comes of old messages."""
    for type, stream, words in RETIRED:
        policy = a_policy(stream, routes=[{"name": "one", "when": {"alert_type": [type]}, "to": ["tickets"]}])
        files = {f"{stream}/policy.yaml": policy, f"{stream}/suppressions/rule.json": a_body(alertType=type)}
        with subtests.test(type):
            result, found = checked(files, stream)
            assert result.rulebook is not None
            said = [one for one in found if one.code == "retired"]
            assert {(one.file, one.level) for one in said} == {(file, "warning") for file in files if words}
            assert all(words in one.message and one.line for one in said if words)

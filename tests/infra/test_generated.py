"""What Bicep reads of the program is what the program says."""

from __future__ import annotations

import shutil
from pathlib import Path

from infra.generate import HERE, documents, written
from router.assembly import now
from tests.builders import RULES
from tests.infra.variants import ROOT


def test_what_is_generated_is_not_stale() -> None:
    """`make infra` after a change to rules/ or to a row, and commit what it writes."""
    fresh = documents(ROOT / "rules", now())
    assert {path.name for path in HERE.iterdir()} == fresh.keys()
    for name, document in fresh.items():
        assert (HERE / name).read_text() == written(document), f"{name} is stale: make infra"


def test_every_secret_is_found_wherever_the_rules_name_it(tmp_path: Path) -> None:
    """In destinations of both streams, and as the pager of an owner."""
    shutil.copytree(RULES, tmp_path, dirs_exist_ok=True)
    with (tmp_path / "owners.yaml").open("a") as owners:
        owners.write("  - {subscription: '*', group: last, pager: {secret: THE_OWNERS_KEY}}\n")
    posture = tmp_path / "cspm" / "policy.yaml"
    posture.write_text(posture.read_text().replace("SERVICENOW_POSTURE_PASSWORD", "ANOTHER_SECRET"))
    found = documents(tmp_path, now())["secrets.json"]
    assert found == ["ANOTHER_SECRET", "PAGERDUTY_ROUTING_KEY", "SERVICENOW_PASSWORD", "THE_OWNERS_KEY"]

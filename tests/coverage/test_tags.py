"""What documents of Azure say of tags."""

from __future__ import annotations

from pathlib import Path

import pytest

from router.coverage.commands.tags import tag_file, tags_in
from router.domain.signals import Stream
from router.rulebook import load
from tests.coverage.builders import CLUSTER, MACHINE, NOW, SUBSCRIPTION, document, pricing
from tests.rulebook.builders import rules_in
from tests.rulebook.kinds import KINDS

SUB = f"/subscriptions/{SUBSCRIPTION}"


def test_tags_are_said_of_resources_groups_and_subscriptions() -> None:
    """In whatever answer they stand, under ids and names in lower case; a field without tags says that there are none."""
    rows = [
        {"id": MACHINE, "tags": {"Team": "Payments", "odd": 1, "blank": None}},
        {"id": f"{SUB}/resourceGroups/RG/", "type": "microsoft.resources/subscriptions/resourcegroups", "tags": None},
        {"id": SUB, "type": "microsoft.resources/subscriptions", "tags": {}},
    ]
    answer = {"totalRecords": 3, "count": 3, "data": rows, "facets": [], "resultTruncated": "false"}
    of_arm = {"id": CLUSTER, "name": "payments", "location": "westeurope", "Tags": {"team": "Aks"}}
    assert tags_in([document(answer), document(of_arm)]) == {
        MACHINE.lower(): {"team": "Payments"},
        f"{SUB}/resourcegroups/rg": {},
        SUB: {},
        CLUSTER.lower(): {"team": "Aks"},
    }


@pytest.mark.parametrize(
    "value",
    [
        pricing("Containers"),
        {"id": MACHINE, "name": "web-1"},
        {"id": MACHINE, "tags": "team=payments"},
        {"id": MACHINE, "tags": ["payments"]},
        {"id": "arn:aws:eks:eu-west-1:123456789012:cluster/shop", "tags": {"team": "a"}},
        {"id": "/subscriptions/", "tags": {"team": "a"}},
        {"id": "/providers/Microsoft.Management/managementGroups/mg", "tags": {"team": "a"}},
        {"tags": {"team": "a"}},
        {"error": {"code": "AuthorizationFailed", "message": "no"}, "id": MACHINE, "tags": {"team": "a"}},
        {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "p"}, "tags": {"team": "a"}},
    ],
)
def test_what_says_no_tags_of_azure_says_nothing(value: object) -> None:
    """So it takes no tag away that is known."""
    assert tags_in([document(value)]) == {}


def test_the_same_thing_twice_has_all_of_its_tags() -> None:
    """One answer may have asked for more of it."""
    some = [document({"id": MACHINE, "tags": {"team": "a"}}), document({"id": MACHINE.upper(), "tags": {"env": "b"}})]
    assert tags_in([*some, document({"id": MACHINE, "tags": None})]) == {MACHINE.lower(): {"team": "a", "env": "b"}}


def test_a_file_of_them_is_one_that_owners_may_name(tmp_path: Path) -> None:
    """It is whole, without a warning, and says the same."""
    said = [document([{"id": MACHINE, "tags": {"Team": "Zahlungen \u00fc"}}, {"id": CLUSTER, "tags": {}}])]
    rules_in(tmp_path, {"owners.yaml": {"tags": "tags.json", "owners": []}, "tags.json": tag_file(said).decode()})
    loaded = load(tmp_path, Stream.CWPP, KINDS, NOW)
    assert not loaded.problems
    assert loaded.owners.owners.tags.by_id == {MACHINE.lower(): {"team": "Zahlungen \u00fc"}}

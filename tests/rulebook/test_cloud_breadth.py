"""A text that every resource of another cloud meets, or of an account, a project or a connector, is no scope for a rule."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from router.domain.signals import Stream
from router.rulebook.scope_breadth import FEWEST
from tests.rulebook.builders import a_body, a_policy, loaded
from tests.rulebook.test_scope_breadth import RESOURCE, breadth_of

ACCOUNT, PROJECT = "123456789012", "shop-4711"
SUBSCRIPTION = "/subscriptions/6f0a3c52-8d1e-4b7a-9c45-2e71d0b8a110"
CONNECTOR = f"{SUBSCRIPTION}/resourceGroups/rg-connect/providers/Microsoft.Security/securityConnectors/aws-prod"
ARN = f"arn:aws:eks:eu-west-2:{ACCOUNT}:cluster/"
GKE = f"container.googleapis.com/projects/{PROJECT}/zones/europe-west1-b/clusters/"
DIGEST = "9f2b6c1de3a0"
FIELDS = [RESOURCE, "resourceId", "entities.host.azureid"]


@pytest.mark.parametrize(
    "text",
    [
        "arn:", "arn:aws:", "arn:aws:eks:", "arn:aws:eks:eu-west-2:", f"arn:aws:eks:eu-west-2:{ACCOUNT}:", ARN, ARN[:-1],
        "aws:", ":aws:", ":eks:", "eks", "ec2", "s3", ":cluster/", "cluster", f":{ACCOUNT}:", ACCOUNT,
        f"{ACCOUNT}:cluster/", "arn:aws:s3:::", "arn:aws:iam::", "us-east-1", "eu-west-2", ":us-east-1:", "us-east-1a",
        "europe-west1-b", "us-eas", "securityconnectors", "/securityConnectors/", "securityentitydata/", "ityentitydata/",
        CONNECTOR, f"{CONNECTOR}/", "/securityConnectors/aws-prod", "/securityConnectors/aws-prod/securityentitydata/",
        "aws-prod/securityentitydata/", f"{CONNECTOR}/securityentitydata/", f"{CONNECTOR}/securityentitydata/aws-ec2-",
        "securityentitydata/gar-gcp-repository-",
        "/resourceGroups/rg-connect/providers/Microsoft.Security/securityConnectors/",
        "rg-connect/providers/Microsoft.Security/securityConnectors/aws-prod/", "googleapis.com", "googleapis",
        "container.googleapis.com", "container.googleapis.com/projects/", "//storage.googleapis.com/", "/projects/",
        f"projects/{PROJECT}/", f"/projects/{PROJECT}", f"projects/{PROJECT}/zones/", GKE, GKE[:-1],
        f"{PROJECT}/zones/europe-west1-b/clusters/", f"projects/{PROJECT}/serviceAccounts/",
        f"projects/{PROJECT}/global/images/", "/clusters/", "sha256:", "images", "/images/sha256:", "images/sha256:9f",
        "/repositories/", "repositories",
        "/resourceGroups/rg-connect/providers/Microsoft.Security/",
    ],
)  # fmt: skip
@pytest.mark.parametrize("field", FIELDS)
def test_a_text_that_each_resource_of_a_cloud_meets_is_refused(text: str, field: str) -> None:
    """Whether it is all of AWS, a service, a region, an account, a project, or one connector; in any case."""
    assert breadth_of(text, field)
    assert breadth_of(text.upper(), field)


@pytest.mark.parametrize(
    "text",
    [
        f"{ARN}shop-prod", f"{ACCOUNT}:cluster/shop-prod", ":cluster/shop-prod", "cluster/batch", "arn:aws:s3:::invoices",
        "arn:aws:s3:::images", f"arn:aws:sqs:eu-west-2:{ACCOUNT}:orders",
        f"arn:aws:ec2:eu-west-2:{ACCOUNT}:instance/i-0a1b2c3d", f"arn:aws:iam::{ACCOUNT}:role/deploy", f"{GKE}books",
        "/clusters/books", f"projects/{PROJECT}/global/images/golden",
        "//storage.googleapis.com/projects/_/buckets/invoices", "securityentitydata/shop-prod", "shop-prod",
        f"{CONNECTOR}/securityentitydata/shop-prod",
        f"{CONNECTOR}/securityentitydata/aws-ec2-elastic-ip-eipalloc-0a-eu-west-2",
        f"/repositories/shop/images/sha256:{DIGEST}", "/repositories/shop/", "/repositories/db/images/",
        f"sha256:{DIGEST}", "/repositories/web/images/", "eipalloc-0a1b", "/resourceGroups/rg-connect/", "i-0a1b2c3d",
        f"{SUBSCRIPTION}/resourceGroups/rg-ai/providers/Microsoft.CognitiveServices/accounts/talk/projects/first",
    ],
)  # fmt: skip
@pytest.mark.parametrize("field", FIELDS)
def test_a_text_that_names_a_resource_of_a_cloud_is_taken(text: str, field: str) -> None:
    """A whole ARN, a cluster, a bucket, a repository, an image."""
    assert breadth_of(text, field) is None


HEADS = [
    ARN, f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/", f"arn:aws:iam::{ACCOUNT}:role/", "arn:aws:s3:::", GKE,
    f"//compute.googleapis.com/projects/{PROJECT}/zones/us-central1-a/instances/",
    "/securityConnectors/aws-prod/securityentitydata/", "/repositories/", "sha256:",
]  # fmt: skip
TELLING = (PROJECT, "aws-prod")
"""Names of what holds many: at the beginning of a text nothing says that they are not names of resources."""


@given(st.sampled_from(HEADS), st.data())
def test_no_piece_of_what_all_ids_of_a_form_begin_with_is_taken(head: str, data: st.DataObject) -> None:
    """From the beginning of a part to any place, a piece says nothing of the resource behind it."""
    starts = [0, *(place + 1 for place, mark in enumerate(head[:-1]) if mark in "/:")]
    starts = [start for start in starts if not head[start:].startswith(TELLING)]
    start = data.draw(st.sampled_from(starts))
    end = data.draw(st.integers(start + 1, len(head)))
    text = head[start:end]
    assume("/" in text or ":" in text)  # A beginning of a word alone may be one of a name.
    assert breadth_of(text), text


@given(st.sampled_from(HEADS[:-1]), st.text("jkmqwxyz", min_size=FEWEST, max_size=12))
def test_a_name_behind_what_all_ids_begin_with_is_taken(head: str, name: str) -> None:
    """The whole id, and its end from the part before the name."""
    assert breadth_of(f"{head}{name}") is None


@pytest.mark.parametrize(
    ("value", "is_taken"),
    [
        (SUBSCRIPTION, False), (f"{SUBSCRIPTION}/", False), (CONNECTOR, False), (f"{CONNECTOR}/", False), (ACCOUNT, False),
        (f"projects/{PROJECT}", False), (f"//container.googleapis.com/projects/{PROJECT}", False),
        (f"{CONNECTOR}/securityentitydata/db", True), (f"{ARN}db", True), ("arn:aws:s3:::db", True), (f"{GKE}db", True),
        (f"{SUBSCRIPTION}/resourceGroups/r1/providers/Microsoft.Compute/virtualMachines/v", True),
        (f"/repositories/db/images/sha256:{DIGEST}", True),
    ],
)  # fmt: skip
def test_a_rule_for_a_category_lists_resources_and_nothing_that_holds_many(
    value: str, *, is_taken: bool, tmp_path: Path
) -> None:
    """A subscription or a connector is no one resource, unless the rule says more; a rule for one type may list it."""
    element = {"field": RESOURCE, "in": [value]}
    bodies = {
        "category": a_body(alertType="SoftwareUpdate", suppressionAlertsScope={"allOf": [element]}),
        "more": a_body(
            alertType="SoftwareUpdate",
            suppressionAlertsScope={"allOf": [element, {"field": "package", "in": ["openssl"]}]},
        ),
        "one-type": a_body(alertType="VM_Test", suppressionAlertsScope={"allOf": [element]}),
    }
    files = {f"cspm/suppressions/{name}.json": body for name, body in bodies.items()}
    result = loaded(tmp_path, files | {"cspm/policy.yaml": a_policy(Stream.CSPM)}, Stream.CSPM)
    assert result.rulebook is not None
    assert {*result.rulebook.suppressions.by_name} == {"more", "one-type"} | ({"category"} if is_taken else set())

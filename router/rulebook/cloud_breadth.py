"""Whether a text is in the names of all resources of another cloud, of one account or project there, or of one connector.

Names there are ARNs (`arn:aws:eks:REGION:ACCOUNT:cluster/NAME`), Google's
(`container.googleapis.com/projects/P/zones/Z/clusters/NAME`), what a connector calls a resource
(`.../securityConnectors/CONNECTOR/securityentitydata/NAME`), and images (`/repositories/NAME/images/sha256:DIGEST`). Only what
stands for NAME and DIGEST tells resources apart.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
https://cloud.google.com/apis/design/resource_names
"""

from __future__ import annotations

import re
from typing import NamedTuple

_FEWEST = 3  # characters of a name that is not whole
_END = "\n"

# What the forms have in common, of which a piece is said as well.
_FORMS = (
    "arn", "aws", "aws-cn", "aws-us-gov", "googleapis.com", "www.googleapis.com", "container.googleapis.com",
    "compute.googleapis.com", "storage.googleapis.com", "sqladmin.googleapis.com", "bigquery.googleapis.com",
    "cloudresourcemanager.googleapis.com", "iam.googleapis.com", "cloudfunctions.googleapis.com", "run.googleapis.com",
    "artifactregistry.googleapis.com", "projects", "zones", "locations", "regions", "global", "clusters", "instances",
    "repositories", "images", "sha256", "subscriptions", "resourcegroups", "providers", "microsoft.security",
    "securityconnectors", "securityentitydata",
)  # fmt: skip
_DIRECTIONS = ("central", "north", "northeast", "northwest", "south", "southeast", "southwest", "east", "west")
_AREAS = (
    "af", "africa", "ap", "asia", "australia", "ca", "cn", "eu", "europe", "il", "me", "mx", "northamerica", "sa",
    "southamerica", "us", "us-gov",
)  # fmt: skip
_REGIONS = "".join(f"{_END}{area}-{direction}{_END}" for area in _AREAS for direction in _DIRECTIONS)
_SPELLED = "".join(f"{_END}{word}{_END}" for word in _FORMS)
"""The words between line ends, by which a piece of one is found."""

# Where they stand alone, only as a whole: they are short, and parts of many names.
_SERVICES = frozenset(
    {
        "acm", "apigateway", "athena", "autoscaling", "cloudformation", "cloudfront", "cloudtrail",
        "cognito-idp", "dynamodb", "ec2", "ecr", "ecs", "efs", "eks", "elasticache", "elasticbeanstalk",
        "elasticfilesystem", "elasticloadbalancing", "elasticmapreduce", "es", "events", "firehose", "gar", "gcp",
        "gcr", "gke", "glue", "guardduty", "iam", "kinesis", "kms", "lambda", "logs", "opensearch", "organizations",
        "rds", "redshift", "route53", "s3", "sagemaker", "secretsmanager", "sns", "sqs", "ssm", "sts", "wafv2",
        "compute", "container", "storage", "v1", "amazonaws.com", "aws", "amazon", "google",
    }
)  # fmt: skip
_KINDS = frozenset(
    {
        "accesspoint", "alarm", "assumed-role", "bucket", "buckets", "bucketname", "cluster", "db", "db-cluster",
        "disks", "distribution", "elastic-ip", "filesystem", "file-system", "firewalls", "fleet", "function",
        "functions", "group", "image", "instance", "instance-profile", "key", "keyrings", "keys", "loadbalancer",
        "log-group", "networks", "nodegroup", "network-interface", "policy", "pod", "registry", "repository", "role",
        "saml-provider", "secret", "security-group", "service", "serviceaccounts", "snapshot", "stack", "subnet",
        "subnetworks", "table", "task", "task-definition", "topic", "topics", "user", "vault", "volume", "vpc",
        "zone", "nodepools", "databases", "datasets",
    }
)  # fmt: skip
_SHORT = "".join(f"{_END}{word}{_END}" for word in (*_SERVICES, *_KINDS))
_OVER_MANY = frozenset({"projects", "zones", "locations", "regions", "securityconnectors", "subscriptions"})
"""Behind these stands the name of what holds many resources."""
_NAMELESS = frozenset({"s3", "sns", "sqs"})
"""Services whose ARNs name a resource without saying its kind."""

_ARN = re.compile(r"arn:[a-z-]*:(?P<service>[a-z0-9-]*):[a-z0-9-]*:[0-9]*:(?P<rest>.*)", re.DOTALL)
_SEPARATOR = re.compile(r"[/:\s]+")
_REGION = re.compile(r"(?P<area>[a-z-]+?)(?:-|(?P<number>-?[0-9]{1,2})(?:-?[a-z])?)?")  # or a zone of one
_ACCOUNT = re.compile(r"[0-9]{10,13}")
_DIGITS = re.compile(r"[0-9]{1,13}")
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SECURITY = ("microsoft.sec", "securityconnectors")
_ENTITY = "securityentitydata"


class _Part(NamedTuple):
    """What stands between two separators; it may begin early where nothing is before it, and end early at the end."""

    text: str
    is_first: bool
    is_last: bool

    @property
    def is_name(self) -> bool:
        """Whether it is whole, or long enough to tell names apart."""
        return not (self.is_first or self.is_last) or sum(map(str.isalnum, self.text)) >= _FEWEST


def is_in_each_cloud_id(text: str) -> bool:
    """Whether a text, in lower case, says nothing that tells one resource of another cloud from the next."""
    if arn := _ARN.search(text):
        return not _names_in_arn(arn["service"], arn["rest"])
    parts = _parts_of(text)
    words = [part.text for part in parts]
    if "projects" in words and (found := _find_in_project(parts, words.index("projects") + 2)) is not None:
        return not found
    return not any(_is_name(parts, words, place) for place in range(len(parts)))


def _parts_of(text: str) -> list[_Part]:
    texts = _SEPARATOR.split(text)
    last = len(texts) - 1
    return [_Part(part, place == 0, place == last) for place, part in enumerate(texts) if part]


def _names_in_arn(service: str, rest: str) -> bool:
    """Whether the last field of an ARN names a resource; what is before it is of all in an account."""
    kind, *names = _parts_of(f":{rest}") or [_Part("", is_first=False, is_last=True)]
    if not names:
        return kind.is_name and (service in _NAMELESS or not _is_piece(kind))
    return any(name.is_name for name in names)


def _find_in_project(parts: list[_Part], start: int) -> bool | None:
    """Whether what follows a project's name names a resource; None where nothing follows, or something before may."""
    if start >= len(parts) or parts[start - 2].is_first or not all(map(_is_piece, parts[: start - 2])):
        return None
    rest = [part for part in parts[start:] if part.text != "global"]
    pairs = zip(rest[::2], rest[1::2], strict=False)
    return any(kind.text not in _OVER_MANY and name.is_name for kind, name in pairs)


def _is_name(parts: list[_Part], words: list[str], place: int) -> bool:
    part = parts[place]
    before = words[place - 1] if place else ""
    after = words[place + 1] if place + 1 < len(words) else ""
    if before in _OVER_MANY or after in ("resourcegroups", "zones", "locations", "regions", _ENTITY):
        return False
    if before == _ENTITY:
        return part.is_name and not (part.is_last and _is_made_up(part.text))
    if before == "resourcegroups" or (not place and after == "providers"):
        # Of what lies in a group, only connectors are Microsoft.Security's.
        return part.is_name and not any(word.startswith(_SECURITY) for word in words[place:])
    if before in ("repositories", "clusters", "cluster", "instances") and after:
        return part.is_name
    return part.is_name and not _is_piece(part)


def _is_made_up(text: str) -> bool:
    """Whether it is how a connector begins the names of all resources of one kind, such as `aws-ec2-`."""
    return all(word in _SERVICES or word in _KINDS or word in ("elastic", "ip") for word in text.split("-") if word)


def _is_piece(part: _Part) -> bool:
    """Whether a part is a word of the forms, a service, a kind, a region, a zone or an account, or a piece of one."""
    text = part.text
    piece = f"{'' if part.is_first else _END}{text}{'' if part.is_last else _END}"
    if piece in _SPELLED or (_END in piece and piece in _SHORT):
        return True
    is_number = (_DIGITS if part.is_first or part.is_last else _ACCOUNT).fullmatch(text) is not None
    is_word = text in _SERVICES or text in _KINDS or text.endswith(".googleapis.com")
    return is_word or is_number or _is_region(part) or _GUID.fullmatch(text) is not None or _is_begun(part)


def _is_region(part: _Part) -> bool:
    region = _REGION.fullmatch(part.text)
    if region is None:
        return False
    end = _END if region["number"] or not part.is_last else ""
    return f"{'' if part.is_first else _END}{region['area']}{end}" in _REGIONS


def _is_begun(part: _Part) -> bool:
    return part.is_last and part.text.endswith("-") and _is_made_up(part.text)

"""What Defender says of single vulnerabilities, exposed secrets and settings: values that findings hold.

Since 2026-07-31 each software update, secret and rule is a recommendation of its own:
https://learn.microsoft.com/azure/defender-for-cloud/transition-grouped-individual-recommendations
"""

from __future__ import annotations

from router.domain.severity import Severity
from router.domain.values import Value

CATEGORIES = (
    "ApiVulnerabilities", "CodeVulnerabilities", "ExposedSecrets", "HostMisconfigurations", "IacVulnerabilities",
    "ServiceUpgrade", "SoftwareUpdate", "SystemUpdate",
)  # fmt: skip
"""The categories of individual recommendations that are documented, at the address above; more may come."""


class Package(Value, kw_only=True):
    """The software that a finding asks to update.

    Attributes:
        fix_status: FixAvailable, NoFix and the like, as the message wrote it.
    """

    name: str
    type: str | None = None
    language: str | None = None
    installed: tuple[str, ...] = ()
    fixed: str | None = None
    fix_status: str | None = None
    vendor: str | None = None


class Cves(Value, kw_only=True):
    """The CVEs that a finding names, in upper case; all of them if `is_whole`."""

    ids: tuple[str, ...]
    is_whole: bool = True


class Image(Value, kw_only=True):
    """The container image that a finding is about."""

    digest: str | None = None
    repository: str | None = None
    pushed: str | None = None
    registry: str | None = None
    tags: tuple[str, ...] = ()


class GroupedFacts(Value, kw_only=True):
    """What a vulnerability as grouped until July 2026 says of itself, for people.

    It stands apart from what individual recommendations say: rules match none of it, and a change of it is no news, as before.
    """

    package: Package | None = None
    cves: Cves | None = None
    image: Image | None = None
    has_fix: bool | None = None


class DatabaseRule(Value, kw_only=True):
    """The rule of a vulnerability assessment that a database breaks."""

    id: str
    category: str | None = None
    impact: str | None = None
    benchmarks: tuple[str, ...] = ()
    has_baseline: bool | None = None
    server: str | None = None
    database: str | None = None


class Risk(Value, kw_only=True):
    """How much is at stake at one resource, beside the severity, which a recommendation has on every resource.

    https://learn.microsoft.com/rest/api/defenderforcloud/assessments

    Attributes:
        is_contextual: whether it rests on the resource's surroundings; otherwise it only repeats the severity.
    """

    level: Severity | None
    written: str | None = None
    factors: tuple[str, ...] = ()
    attack_paths: tuple[str, ...] = ()
    is_contextual: bool = False

    @property
    def contextual_level(self) -> Severity | None:
        """The level from Low to Critical that was found out for this very resource; None where there is none."""
        return self.level if self.is_contextual and self.level is not None and self.level >= Severity.LOW else None


class PostureFacts(Value, kw_only=True):
    """What a finding and its notice say alike; an alert's notice has none of it.

    Attributes:
        cloud: the source of the resource (Azure, AWS, ...).
        user_impact, effort: Low, Moderate or High.
        cvss: its base score in CVSS with the version of that, as in `9.1 (CVSS 3.1)`.
    """

    categories: tuple[str, ...] = ()
    measure: str | None = None
    snapshot: bool = False
    cloud: str | None = None
    cause: str | None = None
    category: str | None = None
    package: Package | None = None
    image: Image | None = None
    rule: DatabaseRule | None = None
    scanner: str | None = None
    risk: Risk | None = None
    native_name: str | None = None
    status_description: str | None = None
    impact: str | None = None
    user_impact: str | None = None
    effort: str | None = None
    threats: tuple[str, ...] = ()
    cvss: str | None = None
    entry_points: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()

"""What individual recommendations say, field by field; all of these messages are constructed."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.posture import Cves, DatabaseRule, Image, Package, Risk
from router.domain.severity import Severity
from router.parse.cves import MOST_IDS, MOST_TEXT
from router.parse.recommendations import MOST_EXTENDED
from tests.constructed.posture import (
    DIGEST,
    MACHINE,
    RULE_KEY,
    UPDATE_KEY,
    a_broken_rule,
    a_cve,
    a_recommendation,
    a_risk,
    a_software_update,
    an_exposed_secret,
    an_image_update,
    cves_of,
)
from tests.parse.messages import a_sub_assessment, an_assessment, read_finding, rekeyed

IDS = ("CVE-2026-1001", "CVE-2026-1002")
ONE = IDS[:1]


def additional(**changes: object) -> Any:
    """The finding of a software update whose additional data says other things."""
    return read_finding(a_software_update(additional=changes))


def cves_in(written: object, scanners: object = None) -> Cves | None:
    """The CVEs of a list, and of what scanners say."""
    cves: Cves | None = additional(CvesDetails=written, ScannersDetails=scanners).cves
    return cves


def with_blanks(value: object) -> object:
    """A message with blanks around its texts."""
    if isinstance(value, dict):
        return {name: with_blanks(held) for name, held in value.items()}
    if isinstance(value, list):
        return [with_blanks(item) for item in value]
    return f" {value}\t" if isinstance(value, str) else value


def test_a_software_update_is_read_whole_whatever_the_case_of_its_keys_and_the_blanks_around_its_values(
    subtests: pytest.Subtests,
) -> None:
    """No second ticket is opened for them; its type is the key."""
    kind = {"type": "npm", "language": "JavaScript", "fixed": "4.17.21", "fix_status": "FixAvailable"}
    package = Package(name="lodash", installed=("4.17.15",), **kind)
    for message in (a_software_update(), rekeyed(a_software_update(), str.upper)):
        finding = read_finding(message)
        assert (finding.category, finding.type, finding.title) == ("SoftwareUpdate", UPDATE_KEY, "Update lodash")
        assert (finding.package, finding.cves) == (package, Cves(ids=IDS))
        assert (finding.resource, finding.cloud) == (MACHINE, "Azure")
        assert (finding.image, finding.rule, finding.risk) == (None, None, None)
    names = ["id", "type", "category", "package", "cves", "image", "rule", "resource", "scanner", "changed", "cloud"]
    names += ["location", "severity", "resolved"]
    for build in (a_software_update, an_exposed_secret, an_image_update, a_broken_rule):
        said, again = read_finding(build()), read_finding(with_blanks(build()))
        for name in names:
            with subtests.test(build.__name__, name=name):
                assert getattr(again, name) == getattr(said, name)
    message = a_software_update()
    id = message["id"]
    for written in (id.upper(), f" {id} ", f"{id}/"):
        one = read_finding(message | {"id": written, "name": None})
        assert (one.id, one.type.lower()) == (id.lower(), UPDATE_KEY)


def test_category_and_severity_are_what_the_metadata_gives() -> None:
    """The set of categories is open. A Critical CVE makes no recommendation Critical that says a severity of its own."""
    assert read_finding(a_software_update(metadata={"severity": "Low"})).severity is Severity.LOW
    unsaid = read_finding(a_software_update(metadata={"severity": None}))
    assert (unsaid.severity, unsaid.severity_written) == (Severity.CRITICAL, None)
    for category in ("SoftwareUpdate", "HostMisconfigurations", "ACategoryOfTomorrow", None):
        assert read_finding(a_recommendation(category)).category == category
    for finding in (read_finding(an_assessment()), read_finding(a_sub_assessment())):
        assert (finding.category, finding.package, finding.cves, finding.image) == (None, None, None, None)
        assert (finding.rule, finding.scanner, finding.risk) == (None, None, None)


def test_versions_come_in_any_form() -> None:
    """A text, JSON inside one, or a list; where there are none, those of the scanners. An empty fixed version is no fix."""
    both = ("1.2.3", "1.2.4")
    for written, installed in (
        ("1.2.3", ("1.2.3",)),
        ("1.2.3, 1.2.4 ,1.2.3", both),
        ('["1.2.3","1.2.4"]', both),
        (["1.2.3", "1.2.4"], both),
        (3.8, ("3.8",)),
        ("", ("4.17.15",)),
        (None, ("4.17.15",)),
        ({}, ("4.17.15",)),
    ):
        assert additional(DetectedSoftwareVersions=written).package.installed == installed, written
    for fixed, found in (("", None), ("  ", None), (None, "4.17.21")):
        assert additional(FixedVersion=fixed).package.fixed == found
    assert additional(FixedVersion=None, ScannersDetails={}).package.fixed is None


FORMS: list[tuple[object, Cves | None]] = [
    (cves_of(*IDS), Cves(ids=IDS)),
    ([a_cve(id) for id in IDS], Cves(ids=IDS)),
    (list(IDS), Cves(ids=IDS)),
    ([orjson.dumps(a_cve(id)).decode() for id in IDS], Cves(ids=IDS)),
    (orjson.dumps(IDS).decode(), Cves(ids=IDS)),
    ("CVE-2026-1001, cve-2026-1002", Cves(ids=IDS)),
    ([{"cveid": " cve-2026-1001 "}, {"CVEID": "CVE-2026-1001"}], Cves(ids=ONE)),
    (a_cve(IDS[0]), Cves(ids=ONE)),
    ({"CVE-2026-1001": {}, "CVE-2026-1002": {}}, Cves(ids=IDS)),
    ([a_cve(IDS[0], Severity="Unknown", Cvss=None)], Cves(ids=ONE)),
    ([a_cve(IDS[0]), {"Severity": "High"}], Cves(ids=ONE, is_whole=False)),
    ([IDS[0], 7], Cves(ids=ONE, is_whole=False)),
    (["GHSA-aaaa-bbbb-cccc", "x" * 65], Cves(ids=("GHSA-AAAA-BBBB-CCCC",), is_whole=False)),
    ("none of them", Cves(ids=(), is_whole=False)),
    (True, Cves(ids=(), is_whole=False)),
    # A description that is cut off names CVEs, too, and they are none of the finding's.
    (cves_of(*IDS, "CVE-2026-1003").partition("CVE-2026-1003")[0], Cves(ids=IDS, is_whole=False)),
    ('["CVE-2026-1001","CVE-20', Cves(ids=ONE, is_whole=False)),
    ([], None),
    ("[]", None),
    ("", None),
    (None, None),
]
"""What may stand as the list of CVEs, and what is read of it."""


def test_cves_come_in_any_form(subtests: pytest.Subtests) -> None:
    """What is no CVE, and a list that is cut, make it one that is not whole. An element may name two CVEs."""
    for written, cves in FORMS:
        with subtests.test(written=written):
            assert cves_in(written) == cves
    found = cves_in([{"CveId": IDS[0], "id": IDS[1]}])
    assert found is not None and (sorted(found.ids), found.is_whole) == (sorted(IDS), True)


@given(st.lists(st.integers(1, 30).map(lambda number: f"CVE-2026-{number:04}"), max_size=40), st.integers(0, 3))
def test_each_cve_is_known_once_in_every_form(ids: list[str], form: int) -> None:
    """However often and in whichever form a list names them, each is known once, in order."""
    elements: list[object] = [a_cve(id) for id in ids] if form % 2 else list(ids)
    written = orjson.dumps(elements).decode() if form > 1 else elements
    assert cves_in(written) == (Cves(ids=tuple(dict.fromkeys(ids))) if ids else None)


def test_scanners_add_the_cves_that_they_name() -> None:
    """A list that was cut stays cut whatever they add; a scanner that is not read to its end leaves the list open."""
    scanners = {"mdvm": {"CvesIds": [IDS[0]]}, "other": {"CvesIds": orjson.dumps([IDS[1], IDS[0]]).decode()}}
    alike = {"a": {"CvesIds": [IDS[0]]}, "A": {"CvesIds": [IDS[1]]}}
    for written in (scanners, orjson.dumps(scanners).decode(), list(scanners.values()), alike):
        assert cves_in(None, written) == cves_in([], written) == Cves(ids=IDS)
        assert cves_in("[{", written) == Cves(ids=IDS, is_whole=False)
        assert cves_in(cves_of("CVE-2026-9"), written) == Cves(ids=("CVE-2026-9", *IDS))
    open_end = f'["{IDS[0]}", "CVE-20'
    for cut in (
        {"mdvm": {"CvesIds": [IDS[0], 7]}},
        {"mdvm": {"CvesIds": open_end}},
        f'{{"mdvm":{{"CvesIds":{open_end}',
    ):
        cves = cves_in(cves_of(IDS[0]), cut)
        assert cves is not None and (cves.ids[0], cves.is_whole) == (IDS[0], False)


def test_only_so_many_cves_are_kept_and_only_so_much_text_is_looked_at() -> None:
    """Beyond the bound the first by their ids are kept, in whatever order the list or all scanners have them.

    A list that is longer than any event is not parsed; `extended` says how long the list was that it leaves out.
    """
    for count in (MOST_IDS, MOST_IDS + 1):
        ids = [f"CVE-2026-{number:05}" for number in range(count)]
        for cves in (cves_in(ids[::-1]), cves_in(None, {id: {"CvesIds": [id]} for id in ids[::-1]})):
            assert cves is not None
            assert (sorted(cves.ids), cves.is_whole) == (ids[:MOST_IDS], count == MOST_IDS)
    padding = " " * (MOST_TEXT - len(cves_of(*IDS)))
    assert cves_in(padding + cves_of(*IDS)) == Cves(ids=IDS)
    assert cves_in(cves_of(*IDS) + padding + " ") == Cves(ids=IDS, is_whole=False)
    written = cves_of(*(f"CVE-2026-{number:05}" for number in range(50)))
    extended = additional(CvesDetails=written).extended
    assert extended["CvesDetails"] == f"[left out: {len(written)} characters]"
    assert (extended["SoftwareName"], len(extended["ScannersDetails"]) < MOST_EXTENDED) == ("lodash", True)
    assert additional(CvesDetails=cves_of()).extended["CvesDetails"] == "[]"


def test_the_scanner_is_named_in_the_portals_order_and_the_image_by_digest_and_repository() -> None:
    """They stand in the resource's additional data, or in the finding's; the first scanner is named as it is written."""
    for changes, scanner in (
        ({}, "mdvm"),
        ({"ScannersDetails": '{"Qualys": {}, "mdvm": {}}'}, "Qualys"),
        ({"ScannersDetails": {}, "scanner": "one", "SecretScannerName": "two"}, "one"),
        ({"ScannersDetails": None, "Scanner": "SQL Vulnerability Assessment"}, "SQL Vulnerability Assessment"),
        ({"ScannersDetails": None, "SecretScannerName": "two", "ToolName": "three"}, "two"),
        ({"ScannersDetails": None, "ToolName": "three", "ScannerName": "four"}, "three"),
        ({"ScannersDetails": "what?", "ScannerName": "four"}, "four"),
        ({"ScannersDetails": None}, None),
    ):
        assert additional(**changes).scanner == scanner
    secret = read_finding(an_exposed_secret())
    assert (secret.category, secret.scanner, secret.package) == ("ExposedSecrets", "MDC secret scanner", None)
    outside = Image(digest=DIGEST, repository="shop/web", pushed="2026-11-01", registry="shop")
    assert read_finding(an_image_update()).image == outside
    inside = additional(Digest=DIGEST, RepositoryDetails='{"repositoryName": "shop/web"}')
    assert inside.image == Image(digest=DIGEST, repository="shop/web")


def test_a_rule_that_a_database_breaks_is_read_whole() -> None:
    """Its key is the rule's, its resource the database; on premises the server and the database are named."""
    finding = read_finding(a_broken_rule())
    assert (finding.type, finding.scanner) == (RULE_KEY, "SQL Vulnerability Assessment")
    words = {"category": "Surface area reduction", "impact": "It can be used to run commands.", "server": "shop"}
    rule = DatabaseRule(id="VA1059", benchmarks=("FedRAMP", "CIS"), has_baseline=False, **words)
    assert finding.rule == rule
    details = {"Source": "OnPremiseSql", "ServerName": "sql-1", "databaseName": "orders"}
    changes = {"sqlServerInstance": "", "hasBaseline": "True", "benchmarks": '["CIS"]'}
    other = read_finding(a_broken_rule(additional=changes, resourceDetails=details)).rule
    assert other is not None
    assert (other.server, other.database, other.has_baseline, other.benchmarks) == ("sql-1", "orders", True, ("CIS",))


def risk_in(written: object) -> Risk | None:
    """The risk of a finding."""
    return read_finding(a_software_update(risk=written)).risk


def test_a_risk_is_read_whole_in_any_form() -> None:
    """An object, or one in a text; its level is the finding's. A level that says none, and a risk of nothing, is none."""
    whole = Risk(
        level=Severity.CRITICAL,
        written="Critical",
        factors=("Exposure to the Internet", "Sensitive Data", "Critical Resource"),
        attack_paths=("a37b2ab5-0000-4000-8000-000000000001",),
        is_contextual=True,
    )
    for written in (a_risk(), orjson.dumps(a_risk()).decode(), rekeyed(a_risk(), str.upper)):
        finding = read_finding(a_software_update(risk=written, metadata={"severity": "Low"}))
        assert (finding.risk, finding.severity, finding.level) == (whole, Severity.LOW, Severity.CRITICAL)
    levels = {"high": Severity.HIGH, "None": None, "Not evaluated": None, "Informational": None, None: None}
    for written, level in levels.items():
        risk = risk_in(a_risk(level=written))
        assert risk is not None and (risk.level, risk.written, risk.is_contextual) == (level, written, True)
    for said, is_contextual in (("true", True), ("False", False), (None, False)):
        risk = risk_in(a_risk(isContextualRisk=said))
        assert risk is not None and risk.is_contextual is is_contextual
    odd = risk_in(a_risk(riskFactors=[{"name": "Sensitive Data"}, "Exposure"], attackPathsReferences="[]"))
    assert odd is not None and (odd.factors, odd.attack_paths) == (("Sensitive Data", "Exposure"), ())
    nothings: list[object] = [None, "", "{}", [], {}, {"riskFactors": []}, '{"level": "Hi']
    assert list(map(risk_in, nothings)) == [None] * len(nothings)
    assert risk_in("High") == Risk(level=Severity.HIGH, written="High")

"""What individual recommendations say, field by field; all of these messages are constructed."""

from __future__ import annotations

from collections.abc import Callable
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
    Message,
    a_broken_rule,
    a_cve,
    a_recommendation,
    a_risk,
    a_software_update,
    an_exposed_secret,
    an_image_update,
    cves_of,
)
from tests.parse.messages import a_sub_assessment, an_assessment, read_finding

IDS = ("CVE-2026-1001", "CVE-2026-1002")


def in_upper_case(value: object) -> object:
    """A message with every key in upper case."""
    if isinstance(value, dict):
        return {name.upper(): in_upper_case(held) for name, held in value.items()}
    return [in_upper_case(item) for item in value] if isinstance(value, list) else value


def additional(**changes: object) -> Any:
    """The finding of a software update whose additional data says other things."""
    return read_finding(a_software_update(additional=changes))


@pytest.mark.parametrize("message", [a_software_update(), in_upper_case(a_software_update())])
def test_a_software_update_is_read_whole(message: object) -> None:
    """Category, software, versions and CVEs are read, in whatever case their keys come; its type is the key."""
    finding = read_finding(message)
    assert (finding.category, finding.type, finding.title) == ("SoftwareUpdate", UPDATE_KEY, "Update lodash")
    assert finding.package == Package(
        name="lodash",
        type="npm",
        language="JavaScript",
        installed=("4.17.15",),
        fixed="4.17.21",
        fix_status="FixAvailable",
    )
    assert finding.cves == Cves(ids=IDS)
    assert (finding.resource, finding.cloud) == (MACHINE, "Azure")
    assert (finding.image, finding.rule, finding.risk) == (None, None, None)


def with_blanks(value: object) -> object:
    """A message with blanks around its texts."""
    if isinstance(value, dict):
        return {name: with_blanks(held) for name, held in value.items()}
    if isinstance(value, list):
        return [with_blanks(item) for item in value]
    return f" {value}\t" if isinstance(value, str) else value


@pytest.mark.parametrize("build", [a_software_update, an_exposed_secret, an_image_update, a_broken_rule])
def test_blanks_around_what_is_said_say_nothing(build: Callable[[], Message]) -> None:
    """Category, software, rule, image, resource and times are the same: no second ticket is opened for them."""
    said, again = read_finding(build()), read_finding(with_blanks(build()))
    for name in (
        "id",
        "type",
        "category",
        "package",
        "cves",
        "image",
        "rule",
        "resource",
        "scanner",
        "changed",
        "cloud",
    ):
        assert getattr(again, name) == getattr(said, name), name
    assert (again.location, again.severity, again.resolved) == (said.location, said.severity, said.resolved)


def test_severity_is_the_metadatas_where_it_gives_one() -> None:
    """A Critical CVE does not make a recommendation Critical, unless that says nothing of its own."""
    assert read_finding(a_software_update(metadata={"severity": "Low"})).severity is Severity.LOW
    unsaid = read_finding(a_software_update(metadata={"severity": None}))
    assert (unsaid.severity, unsaid.severity_written) == (Severity.CRITICAL, None)
    assert read_finding(a_software_update(metadata={"severity": "Critical"})).severity is Severity.CRITICAL


def test_a_classic_recommendation_has_none_of_it() -> None:
    """What was sent before is read as before."""
    for finding in (read_finding(an_assessment()), read_finding(a_sub_assessment())):
        assert (finding.category, finding.package, finding.cves, finding.image) == (None, None, None, None)
        assert (finding.rule, finding.scanner, finding.risk) == (None, None, None)


@pytest.mark.parametrize(
    ("written", "installed"),
    [
        ("1.2.3", ("1.2.3",)),
        ("1.2.3, 1.2.4 ,1.2.3", ("1.2.3", "1.2.4")),
        ('["1.2.3","1.2.4"]', ("1.2.3", "1.2.4")),
        (["1.2.3", "1.2.4"], ("1.2.3", "1.2.4")),
        (3.8, ("3.8",)),
        ("", ("4.17.15",)),
        (None, ("4.17.15",)),
        ({}, ("4.17.15",)),
    ],
)
def test_detected_versions_come_in_any_form(written: object, installed: tuple[str, ...]) -> None:
    """A text, JSON inside one, or a list; where there are none, those of the scanners."""
    assert additional(DetectedSoftwareVersions=written).package.installed == installed


@pytest.mark.parametrize("written", ["", "  "])
def test_an_empty_fixed_version_means_no_fix(written: str) -> None:
    """Nothing mends it, whatever a scanner says; where the field is missing, a scanner's word is taken."""
    assert additional(FixedVersion=written).package.fixed is None
    assert additional(FixedVersion=None).package.fixed == "4.17.21"
    assert additional(FixedVersion=None, ScannersDetails={}).package.fixed is None


@pytest.mark.parametrize(
    ("written", "cves"),
    [
        (cves_of(*IDS), Cves(ids=IDS)),
        ([a_cve(id) for id in IDS], Cves(ids=IDS)),
        (list(IDS), Cves(ids=IDS)),
        ([orjson.dumps(a_cve(id)).decode() for id in IDS], Cves(ids=IDS)),
        (orjson.dumps(IDS).decode(), Cves(ids=IDS)),
        ("CVE-2026-1001, cve-2026-1002", Cves(ids=IDS)),
        ([{"cveid": " cve-2026-1001 "}, {"CVEID": "CVE-2026-1001"}], Cves(ids=IDS[:1])),
        (a_cve(IDS[0]), Cves(ids=IDS[:1])),
        ({"CVE-2026-1001": {}, "CVE-2026-1002": {}}, Cves(ids=IDS)),
        ([a_cve(IDS[0], Severity="Unknown", Cvss=None)], Cves(ids=IDS[:1])),
        ([a_cve(IDS[0]), {"Severity": "High"}], Cves(ids=IDS[:1], is_whole=False)),
        ([IDS[0], 7], Cves(ids=IDS[:1], is_whole=False)),
        (["GHSA-aaaa-bbbb-cccc", "x" * 65], Cves(ids=("GHSA-AAAA-BBBB-CCCC",), is_whole=False)),
        ("none of them", Cves(ids=(), is_whole=False)),
        (True, Cves(ids=(), is_whole=False)),
        ([], None),
        ("[]", None),
        ("", None),
        (None, None),
    ],
)
def test_cves_come_in_any_form(written: object, cves: Cves | None) -> None:
    """A list, a list in a text, objects, ids; what is no CVE makes the list one that is not whole."""
    assert additional(CvesDetails=written, ScannersDetails=None).cves == cves


def test_a_list_that_is_cut_is_read_as_far_as_it_goes() -> None:
    """The ids before the cut are known, those that a description mentions are none of them, and the list is not whole."""
    whole = cves_of(*IDS, "CVE-2026-1003")
    cut = whole[: whole.index("CVE-2026-1003")]
    assert additional(CvesDetails=cut, ScannersDetails=None).cves == Cves(ids=IDS, is_whole=False)
    assert additional(CvesDetails='["CVE-2026-1001","CVE-20', ScannersDetails=None).cves == Cves(
        ids=IDS[:1], is_whole=False
    )


def test_scanners_add_the_cves_that_they_name() -> None:
    """Whatever a message names is the finding's; a list that was cut stays cut whatever the scanners add."""
    scanners = {"mdvm": {"CvesIds": [IDS[0]]}, "other": {"CvesIds": orjson.dumps([IDS[1], IDS[0]]).decode()}}
    for written in (scanners, orjson.dumps(scanners).decode(), list(scanners.values())):
        assert additional(CvesDetails=None, ScannersDetails=written).cves == Cves(ids=IDS)
        assert additional(CvesDetails="[{", ScannersDetails=written).cves == Cves(ids=IDS, is_whole=False)
        both = additional(CvesDetails=cves_of("CVE-2026-9"), ScannersDetails=written).cves
        assert both == Cves(ids=("CVE-2026-9", *IDS))


@pytest.mark.parametrize(
    "scanners",
    [
        {"mdvm": {"CvesIds": [IDS[0], 7]}},
        {"mdvm": {"CvesIds": f'["{IDS[0]}", "CVE-20'}},
        f'{{"mdvm":{{"CvesIds":["{IDS[0]}","CVE-20',
    ],
)
def test_a_scanner_that_is_not_read_to_its_end_leaves_the_list_open(scanners: object) -> None:
    """Nobody knows what else it names, however whole the other list is."""
    cves = additional(CvesDetails=cves_of(IDS[0]), ScannersDetails=scanners).cves
    assert (cves.ids[0], cves.is_whole) == (IDS[0], False)


@pytest.mark.parametrize(
    "changes",
    [
        {"CvesDetails": [{"CveId": IDS[0], "id": IDS[1]}]},
        {"CvesDetails": [], "ScannersDetails": {"a": {"CvesIds": [IDS[0]]}, "A": {"CvesIds": [IDS[1]]}}},
    ],
)
def test_a_second_cve_of_one_element_is_not_lost(changes: Message) -> None:
    """An element may name two CVEs, and two scanners may differ in the case of their names."""
    cves = additional(**({"ScannersDetails": None} | changes)).cves
    assert (sorted(cves.ids), cves.is_whole) == (sorted(IDS), True)


@pytest.mark.parametrize(("count", "is_whole"), [(MOST_IDS, True), (MOST_IDS + 1, False)])
def test_only_so_many_cves_are_kept(count: int, is_whole: bool) -> None:
    """Beyond the bound the first by their ids are kept, in whatever order the list or all scanners have them."""
    ids = [f"CVE-2026-{number:05}" for number in range(count)]
    cves = additional(CvesDetails=ids[::-1], ScannersDetails=None).cves
    assert (len(cves.ids), cves.is_whole) == (MOST_IDS, is_whole)
    assert sorted(cves.ids) == ids[:MOST_IDS]
    scanners = {id: {"CvesIds": [id]} for id in ids[::-1]}
    again = additional(CvesDetails=None, ScannersDetails=scanners).cves
    assert (sorted(again.ids), again.is_whole) == (ids[:MOST_IDS], is_whole)


def test_only_so_much_text_is_looked_at() -> None:
    """A list that is longer than any event is not parsed; what stands at its beginning is known."""
    padding = " " * (MOST_TEXT - len(cves_of(*IDS)))
    assert additional(CvesDetails=padding + cves_of(*IDS), ScannersDetails=None).cves == Cves(ids=IDS)
    cves = additional(CvesDetails=cves_of(*IDS) + padding + " ", ScannersDetails=None).cves
    assert cves == Cves(ids=IDS, is_whole=False)


def test_a_long_list_is_not_carried_twice() -> None:
    """`extended` says how long the list was that it leaves out, and keeps a short one and all else as it came."""
    ids = [f"CVE-2026-{number:05}" for number in range(50)]
    written = cves_of(*ids)
    extended = additional(CvesDetails=written).extended
    assert extended["CvesDetails"] == f"[left out: {len(written)} characters]"
    assert extended["SoftwareName"] == "lodash"
    assert len(extended["ScannersDetails"]) < MOST_EXTENDED
    assert additional(CvesDetails=cves_of()).extended["CvesDetails"] == "[]"


@pytest.mark.parametrize(
    ("changes", "scanner"),
    [
        ({}, "mdvm"),
        ({"ScannersDetails": '{"Qualys": {}, "mdvm": {}}'}, "Qualys"),
        ({"ScannersDetails": {}, "scanner": "one", "SecretScannerName": "two"}, "one"),
        ({"ScannersDetails": None, "Scanner": "SQL Vulnerability Assessment"}, "SQL Vulnerability Assessment"),
        ({"ScannersDetails": None, "SecretScannerName": "two", "ToolName": "three"}, "two"),
        ({"ScannersDetails": None, "ToolName": "three", "ScannerName": "four"}, "three"),
        ({"ScannersDetails": "what?", "ScannerName": "four"}, "four"),
        ({"ScannersDetails": None}, None),
    ],
)
def test_the_scanner_is_named_in_the_portals_order(changes: dict[str, object], scanner: str | None) -> None:
    """The first of the scanners' details, as it is written, else the fields that say a name."""
    assert additional(**changes).scanner == scanner


def test_an_image_is_known_by_digest_and_repository() -> None:
    """They stand in the resource's additional data, or in the finding's."""
    assert read_finding(an_image_update()).image == Image(
        digest=DIGEST, repository="shop/web", pushed="2026-11-01", registry="shop"
    )
    inside = additional(Digest=DIGEST, RepositoryDetails='{"repositoryName": "shop/web"}')
    assert inside.image == Image(digest=DIGEST, repository="shop/web")


def test_a_rule_that_a_database_breaks_is_read_whole() -> None:
    """Its key is the rule's, its resource the database; on premises the server and the database are named."""
    finding = read_finding(a_broken_rule())
    assert (finding.type, finding.scanner) == (RULE_KEY, "SQL Vulnerability Assessment")
    assert finding.rule == DatabaseRule(
        id="VA1059",
        category="Surface area reduction",
        impact="It can be used to run commands.",
        benchmarks=("FedRAMP", "CIS"),
        has_baseline=False,
        server="shop",
    )
    details = {"Source": "OnPremiseSql", "ServerName": "sql-1", "databaseName": "orders"}
    changes = {"sqlServerInstance": "", "hasBaseline": "True", "benchmarks": '["CIS"]'}
    rule = read_finding(a_broken_rule(additional=changes, resourceDetails=details)).rule
    assert rule is not None
    assert (rule.server, rule.database, rule.has_baseline, rule.benchmarks) == ("sql-1", "orders", True, ("CIS",))


def test_a_secret_names_its_scanner() -> None:
    """An exposed secret has a category and a scanner, and no software."""
    finding = read_finding(an_exposed_secret())
    assert (finding.category, finding.scanner, finding.package) == ("ExposedSecrets", "MDC secret scanner", None)


_RISK = Risk(
    level=Severity.CRITICAL,
    written="Critical",
    factors=("Exposure to the Internet", "Sensitive Data", "Critical Resource"),
    attack_paths=("a37b2ab5-0000-4000-8000-000000000001",),
    is_contextual=True,
)


@pytest.mark.parametrize("written", [a_risk(), orjson.dumps(a_risk()).decode(), in_upper_case(a_risk())])
def test_risk_is_read_whole(written: object) -> None:
    """An object, or one in a text as Resource Graph has it."""
    finding = read_finding(a_software_update(risk=written, metadata={"severity": "Low"}))
    assert finding.risk == _RISK
    assert (finding.severity, finding.level) == (Severity.LOW, Severity.CRITICAL)


@pytest.mark.parametrize(
    ("changes", "level", "is_contextual"),
    [
        ({"level": "high"}, Severity.HIGH, True),
        ({"level": "None"}, None, True),
        ({"level": "Not evaluated"}, None, True),
        ({"level": "Informational"}, None, True),
        ({"level": None}, None, True),
        ({"level": "Low", "isContextualRisk": "true"}, Severity.LOW, True),
        ({"level": "Low", "isContextualRisk": "False"}, Severity.LOW, False),
        ({"level": "Low", "isContextualRisk": None}, Severity.LOW, False),
    ],
)
def test_the_level_of_a_risk(changes: dict[str, object], level: Severity | None, is_contextual: bool) -> None:
    """A level that says that there is none is none; whether the risk is contextual is said as a boolean or in letters."""
    risk = read_finding(a_software_update(risk=a_risk(**changes))).risk
    assert risk is not None
    assert (risk.level, risk.written, risk.is_contextual) == (level, changes["level"], is_contextual)


def test_what_else_a_risk_may_be() -> None:
    """Lists may be texts, factors objects; a risk of nothing is none."""
    odd = a_risk(riskFactors=[{"name": "Sensitive Data"}, "Exposure"], attackPathsReferences="[]")
    risk = read_finding(a_software_update(risk=odd)).risk
    assert risk is not None
    assert (risk.factors, risk.attack_paths) == (("Sensitive Data", "Exposure"), ())
    nothings: list[object] = [None, "", "{}", [], {}, {"riskFactors": []}, '{"level": "Hi']
    for nothing in nothings:
        assert read_finding(a_software_update(risk=nothing)).risk is None
    assert read_finding(a_software_update(risk="High")).risk == Risk(level=Severity.HIGH, written="High")


def test_one_id_is_one_finding_however_it_is_written() -> None:
    """Case, blanks around it and a slash behind it are no part of an id."""
    message = a_software_update()
    id = message["id"]
    for written in (id.upper(), f" {id} ", f"{id}/"):
        again = read_finding(message | {"id": written, "name": None})
        assert again.id == id.lower()
        assert again.type.lower() == UPDATE_KEY


@pytest.mark.parametrize("category", ["SoftwareUpdate", "HostMisconfigurations", "ACategoryOfTomorrow", None])
def test_a_category_is_kept_as_it_is_written(category: str | None) -> None:
    """The set is open."""
    assert read_finding(a_recommendation(category)).category == category


@given(
    ids=st.lists(st.integers(1, 30).map(lambda number: f"CVE-2026-{number:04}"), max_size=40), form=st.integers(0, 3)
)
def test_each_cve_is_known_once_in_every_form(ids: list[str], form: int) -> None:
    """However often and in whichever form a list names them, each is known once, in order."""
    elements: list[object] = [a_cve(id) for id in ids] if form % 2 else list(ids)
    written = orjson.dumps(elements).decode() if form > 1 else elements
    cves = additional(CvesDetails=written, ScannersDetails=None).cves
    assert cves == (Cves(ids=tuple(dict.fromkeys(ids))) if ids else None)

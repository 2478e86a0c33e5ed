"""OCSF 1.5.0 as far as the router sends it, written down by hand from the schema's own pages.

A line is an attribute and what it holds: a type, `[...]` for a list, the name of another table, or the values that an
enumeration has. `!` marks what must be there; `at least one` and `just one` are the constraints of an object.

https://schema.ocsf.io/1.5.0/classes/detection_finding, .../vulnerability_finding, .../compliance_finding
https://schema.ocsf.io/1.5.0/objects/finding_info, and so on for each object
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_FINDING = """
    activity_id!: 0 1 2 3 99
    activity_name: str
    category_name: str
    category_uid!: 2
    class_name: str
    cloud!: cloud
    end_time: int
    finding_info!: finding_info
    message: str
    metadata!: metadata
    observables: [observable]
    resources: [resource_details]
    severity: str
    severity_id!: 0 1 2 3 4 5 6 99
    start_time: int
    status: str
    status_detail: str
    status_id: 0 1 2 3 4 5 99
    time!: int
    type_name: str
    unmapped: object
"""

TABLES = {
    "detection_finding": f"""{_FINDING}
    class_uid!: 2004
    evidences: [evidences]
    is_alert: bool
    remediation: remediation
    type_uid!: 200400 200401 200402 200403 200499
""",
    "vulnerability_finding": f"""{_FINDING}
    class_uid!: 2002
    type_uid!: 200200 200201 200202 200203 200299
    vulnerabilities!: [vulnerability]
""",
    "compliance_finding": f"""{_FINDING}
    class_uid!: 2003
    compliance!: compliance
    evidences: [evidences]
    remediation: remediation
    type_uid!: 200300 200301 200302 200303 200399
""",
    "account": "at least one: name uid\n name: str\n type: str\n type_id: 13\n uid: str",
    "advisory": "uid!: str",
    "analytic": "at least one: name uid\n name: str\n type: str\n type_id!: 0 1 2 3 4 5 6 7 8 9 10 11 99\n uid: str",
    "attack": """at least one: tactic technique sub_technique
    sub_technique: named
    tactic: named
    technique: named
    version: str
""",
    "cloud": "account: account\n provider!: str",
    "compliance": "category: str\n control: str\n standards: [str]\n status: str\n status_id: 0 1 2 3 99",
    "cve": "uid!: str",
    "evidences": "data: object",
    "finding_info": """
    analytic: analytic
    attacks: [attack]
    desc: str
    first_seen_time: int
    last_seen_time: int
    modified_time: int
    src_url: str
    title: str
    types: [str]
    uid!: str
""",
    "metadata": """
    correlation_uid: str
    event_code: str
    labels: [str]
    log_provider: str
    original_time: str
    product!: product
    profiles: [str]
    sequence: int
    uid: str
    version!: str
""",
    "named": "at least one: name uid\n name: str\n uid: str",
    "observable": "name: str\n type: str\n type_id!: 1 2 4 6 8 10 13 16 45\n value: str",
    "product": "at least one: name uid\n feature: named\n name: str\n vendor_name: str",
    "remediation": "desc!: str",
    "resource_details": """at least one: name uid
    group: named
    name: str
    owner: named
    type: str
    uid: str
""",
    "affected_package": "fixed_in_version: str\n name!: str\n package_manager: str\n version!: str",
    "vulnerability": """just one: advisory cve cwe
    advisory: advisory
    affected_packages: [affected_package]
    cve: cve
    is_fix_available: bool
    references: [str]
    remediation: remediation
    severity: str
    title: str
""",
}
_TYPES = {"str": str, "int": int, "bool": bool, "object": dict}
_CLASSES = {2002: "vulnerability_finding", 2003: "compliance_finding", 2004: "detection_finding"}
_CONSTRAINTS = ("at least one", "just one")


def problems_in(finding: Mapping[str, Any]) -> list[str]:
    """What is wrong with a finding, each with its place."""
    found = list(_problems_of(finding, _CLASSES[finding["class_uid"]], ""))
    if finding["type_uid"] != finding["class_uid"] * 100 + finding["activity_id"]:
        found.append("type_uid: is of another class or activity")
    return found


def _problems_of(value: Any, what: str, place: str) -> Iterator[str]:
    if what.startswith("["):
        if not isinstance(value, list) or not value:
            yield f"{place}: is no list with anything in it"
            return
        for number, one in enumerate(value):
            yield from _problems_of(one, what[1:-1], f"{place}[{number}]")
    elif what in TABLES:
        yield from _problems_of_an_object(value, what, place)
    elif what in _TYPES:
        if type(value) is not _TYPES[what]:
            yield f"{place}: is no {what}"
    elif str(value) not in what.split():
        yield f"{place}: {value} is not among {what}"


def _problems_of_an_object(value: Any, table: str, place: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{place}: is no {table}"
        return
    lines = [line.strip().partition(": ") for line in TABLES[table].splitlines() if line.strip()]
    attributes = {name.rstrip("!"): what for name, _, what in lines if name not in _CONSTRAINTS}
    yield from (f"{place}.{name}: is no attribute of {table}" for name in value if name not in attributes)
    yield from (
        f"{place}.{name[:-1]}: is missing" for name, _, _ in lines if name[-1] == "!" and name[:-1] not in value
    )
    for name, _, what in lines:
        count = len(value.keys() & set(what.split()))
        if (name == "just one" and count != 1) or (name == "at least one" and count == 0):
            yield f"{place}: has {count} of {what}"
    for name in value.keys() & attributes.keys():
        yield from _problems_of(value[name], attributes[name], f"{place}.{name}")

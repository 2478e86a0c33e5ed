"""Whether the sensor of a machine, and that of SQL Server on it, is there and runs; what answers it, and what mends it."""

import json
import shlex
from functools import partial

import duckdb_kql
import pytest

from router.coverage.remedies import (
    ASK_ENDPOINT_EXTENSIONS,
    ASK_EXTENSIONS,
    ASK_POSTURE,
    ASK_SENSOR,
    ASK_SQL_RECOMMENDATIONS,
    ask_recommendations,
)
from router.coverage.verdicts import Verdict
from router.domain.coverage import Rung
from router.domain.errors import BadUsage
from router.domain.recommendations import EDR_INSTALLED, EDR_RUNNING, SQL_PROTECTED
from tests.coverage import builders as az
from tests.coverage.builders import COVERED, GAP, MACHINE, NOT_COVERABLE, UNKNOWN, Hold, judged, known, pricing, verdict
from tests.coverage.machine_builders import (
    ARC,
    ARC_SQL,
    EXCLUDED,
    POSTURE,
    SET,
    SQL,
    ago,
    all_healthy,
    arc_machine,
    arc_sql,
    assessment,
    device,
    extension,
    health,
    joined,
    machine,
    scale_set,
    sql_extension,
    sql_machine,
)

HEALTHY, UNHEALTHY = assessment(EDR_INSTALLED), assessment(EDR_INSTALLED, "Unhealthy")
MONITOR = {"type": "AzureMonitorLinuxAgent", "publisher": "Microsoft.Azure.Monitor"}
OTHER, BESIDE = extension(**MONITOR), extension(of=f"{MACHINE}-2", **MONITOR)


installed = partial(known, of="web-1", on=Rung.SENSOR_INSTALLED)
running = partial(known, of="web-1", on=Rung.SENSOR_RUNNING)
on_machine = partial(running, machine())
sql_installed = partial(known, sql_machine(), of="ledger", on=Rung.SENSOR_INSTALLED)
sql_running = partial(known, sql_machine(), of="ledger", on=Rung.SENSOR_RUNNING)


def test_what_is_known_of_the_sensor(hold: Hold) -> None:
    """The extension or a running sensor proves it; its absence proves nothing. Of two documents the worse one counts."""
    bare, absent, tagged = machine(), joined(None, None), machine(tags=EXCLUDED)
    exempt = assessment(EDR_INSTALLED, "NotApplicable", cause="Exempt")
    handler = {"statuses": [{"code": "ProvisioningState/failed/21", "message": "no"}]}
    flat = {
        "id": f"{MACHINE}/extensions/MDE.Linux",
        "name": "MDE.Linux",
        "provisioningState": "Succeeded",
        "publisher": "Microsoft.Azure.AzureDefenderForServers",
        "typePropertiesType": "MDE.Linux",
        "type": "Microsoft.Compute/virtualMachines/extensions",
    }
    hold(
        installed,
        (COVERED, [extension()], [extension("Provisioning succeeded")], [joined("MDE.Linux", "Succeeded")], [[flat]]),
        (COVERED, [machine(resources=[extension()])], [machine(power="deallocated"), extension()], [bare, health()]),
        (COVERED, [tagged, extension()], [tagged, device()], [bare, absent, HEALTHY, POSTURE]),
        (GAP, [extension("Failed")], [joined("MDE.Linux", "Failed")], [{**bare, "Resources": [extension("Failed")]}]),
        (GAP, [extension("Succeeded", instanceView=handler)], [[{**flat, "typePropertiesType": "CustomScript"}]]),
        (GAP, [tagged], [machine(tags={"excludemdeautoprovisioning": "TRUE"})], [UNHEALTHY]),
        (GAP, [machine(power="stopped"), machine(power="running"), extension("Failed")]),
        (GAP, [bare, extension("Failed"), HEALTHY, POSTURE], [tagged, absent, HEALTHY, POSTURE]),
        (UNKNOWN, [extension("Creating")], [extension(publisher="Contoso")], [absent], [{**absent, "name1": None}]),
        (UNKNOWN, [extension(type="CustomScript", publisher="Microsoft.Azure.Extensions")], [machine(resources=None)]),
        (UNKNOWN, [machine(resources=[{"id": f"{MACHINE}/extensions/MDE.Linux"}])]),
        (UNKNOWN, [machine(tags={"ExcludeMdeAutoProvisioning": "false"})], [HEALTHY], [bare, absent, HEALTHY]),
        (UNKNOWN, [bare, HEALTHY, POSTURE], [absent, HEALTHY, POSTURE], [bare, absent, exempt, POSTURE]),
        (UNKNOWN, [bare, health(), device(healthStatus="Inactive")]),
        (NOT_COVERABLE, [machine(power="deallocated")], [machine(power="stopped"), extension("Failed")]),
    )
    found = installed(extension("Failed"), extension("Succeeded"))
    assert (found.state, "contradict" in found.remarks[0]) == (GAP, True)


def rows(*some: object, total: int | None = None) -> dict[str, object]:
    """An answer of Resource Graph, which says how many rows there are."""
    return {"data": list(some), "count": len(some), "total_records": len(some) if total is None else total}


def test_a_machine_whose_extensions_are_all_listed_has_a_gap_without_the_sensor(hold: Hold) -> None:
    """It is said what is there, and mended by a line. Azure says in several places whether a machine is on."""
    only, mend = "none brings Defender for Endpoint: it has only AzureMonitorLinuxAgent", "az vm extension set "
    cut, unasked = "no list has all of its extensions", "nobody asked which extensions it has"
    hold(
        installed,
        (GAP, only, mend, [rows(machine(), OTHER)], [machine(), rows(OTHER)], [machine(), [OTHER]]),
        (GAP, only, mend, [machine(resources=[OTHER])]),
        (GAP, "it has none", mend, [rows(machine(), BESIDE)]),
        (COVERED, "succeeded", [rows(machine(), OTHER, extension())], [rows(machine(), OTHER), extension()]),
        (COVERED, "seen to run", [rows(machine(), OTHER), health()]),
        # What was cut, one extension alone, and a query for Defender's own say nothing of what is absent.
        (UNKNOWN, cut, [rows(machine(), OTHER, total=3)], [machine(), OTHER], [rows(machine(), sql_extension())]),
        (UNKNOWN, unasked, [rows(machine(), extension(of=f"{MACHINE}-2"))]),
        (UNKNOWN, unasked, [rows(machine(), extension(of=ARC, type="Monitor"))]),
    )
    said = {"id": MACHINE, "name": "web-1", "type": "Microsoft.Compute/virtualMachines", "tags": EXCLUDED}
    power = {"extended": {"instanceView": {"powerState": {"code": "PowerState/deallocated"}}}}
    row = az.resource(MACHINE, "microsoft.compute/virtualmachines", power)
    hold(
        installed,
        (GAP, *([[{**said, "powerState": words}]] for words in ("VM running", "?"))),
        (NOT_COVERABLE, *([[{**said, "powerState": words}]] for words in ("VM deallocated", "VM stopped"))),
        (NOT_COVERABLE, [{"data": [row], "totalRecords": 1}]),
    )


def test_an_extension_and_a_sensor_say_what_is_wrong() -> None:
    """By the installer's code. One that names another machine is remarked on, as is a passive antivirus; names are quoted."""
    for code, says in ((10, "distribution is not supported"), (31, "tenant"), (199, "199")):
        statuses = [{"code": "ProvisioningState/failed/1", "message": f"command terminated with exit status={code}"}]
        found = installed(extension("Failed", instanceView={"statuses": statuses}))
        assert says in found.reason
        line = f"az vm extension delete --resource-group rg --vm-name web-1 --subscription {az.SUBSCRIPTION}"
        assert found.remedy == f"{line} --name MDE.Linux"
    other, hostile = MACHINE.replace("web-1", "golden"), "x; rm -rf '~'"
    assert other.lower() in installed(extension(settings={"azureResourceId": other})).remarks[0]
    assert not installed(extension(settings={"azureResourceId": MACHINE.upper()})).remarks
    found = installed(extension("Failed", of=MACHINE.replace("web-1", hostile)), of=hostile)
    assert hostile in shlex.split(found.remedy or "")
    assert "contradict" in on_machine(health(), device(healthStatus="Inactive")).remarks[0]
    assert "no_license" in on_machine(health(healthy=False, healthIssues=["no_license"])).reason
    found = on_machine(health(realTimeProtectionEnabled={"value": False}))
    assert (found.state, "real time" in found.remarks[0]) == (COVERED, True)


def test_a_new_machine_has_twelve_hours_and_a_tag_is_no_matter_of_waiting(hold: Hold) -> None:
    """Onboarding takes up to an hour, and twelve for the first subscription of a tenant. The remedy trusts no tag's value."""
    young, old = ([machine(timeCreated=ago(hours=hours)), UNHEALTHY] for hours in (11.9, 12))
    hold(installed, (UNKNOWN, young), (GAP, old, [machine(timeCreated=ago(hours=1), tags=EXCLUDED)]))
    assert installed(machine(tags={"ExcludeMdeAutoProvisioning": "true ; rm"}, resources=None)).state is UNKNOWN
    found = installed(machine(tags={"excludeMDEautoprovisioning": "TRUE"}))
    assert (found.remedy or "").endswith("--tags excludeMDEautoprovisioning=TRUE")


def test_of_a_machine_that_azure_arc_lost_only_what_is_installed_is_known() -> None:
    """And its own words. One that expired must be connected anew. Unsaid, it is not known to be in reach."""
    rest = (joined(None, None, of=ARC), assessment(EDR_INSTALLED, of=ARC), POSTURE)
    for status in ("Connected", "Disconnected", "Expired"):
        is_there = status == "Connected"
        found = installed(arc_machine(status), extension(of=ARC, type="MDE.Windows"), of="till-1")
        assert (found.state, bool(found.remarks)) == (COVERED, not is_there)
        assert installed(arc_machine(status), *rest, of="till-1").state is (COVERED if is_there else UNKNOWN)
    recommended = (*all_healthy(ARC), POSTURE)
    for status, *states in (
        *(("Connected", UNKNOWN, COVERED), ("Disconnected", UNKNOWN, UNKNOWN), ("Error", UNKNOWN, UNKNOWN)),
        ("Expired", GAP, GAP),
    ):
        ways = ((), recommended, (device(ARC),))
        assert [running(arc_machine(status), *some, of="till-1").state for some in ways] == [*states, COVERED], status
    assert running(extension(of=ARC), *recommended, of="till-1").state is UNKNOWN


def test_a_scale_set_is_covered_where_as_many_instances_run_as_it_is_to_have(hold: Hold) -> None:
    """Defender for Endpoint names each of a uniform one; extensions say nothing, and a flexible one is its machines."""
    one = machine(virtualMachineScaleSet={"id": SET.upper()})
    hold(
        partial(installed, of="batch"),
        (UNKNOWN, "uniform", [scale_set("Uniform")]),
        (UNKNOWN, [scale_set("")], [scale_set("Flexible", 2), one]),
        (NOT_COVERABLE, [scale_set("Flexible", 1), one]),
    )

    def of_set(capacity: int | None, *devices: object) -> Verdict:
        return running(scale_set("Uniform", capacity), list(devices), of="batch")

    first, second = device(f"{SET}/virtualMachines/0"), device(f"{SET}/virtualMachines/1")
    inactive = device(f"{SET}/virtualMachines/1", healthStatus="Inactive")
    hold(
        of_set,
        (COVERED, [2, first, second]),
        (UNKNOWN, [2, first, first], [2, first, inactive], [2, device(f"{SET}-2/virtualMachines/0"), second]),
        (UNKNOWN, [None, first], [0, first]),
    )


def test_a_machine_is_called_as_arm_spells_it_and_a_list_of_costs_names_none() -> None:
    """Whichever document comes first: Resource Graph has ids in lower case."""
    said = [machine(MACHINE.replace("web-1", "Web-1")), joined(None, None)]
    for documents in (said, said[::-1]):
        assert [row.workload.name for row in judged(*documents).assessed.rows] == ["Web-1"]
    result = judged([{"resourceId": MACHINE, "cost": 12}])
    assert (result.assessed.rows, [name for name, _ in result.unused]) == ((), ["1.json"])


NAMESAKE = MACHINE.replace("/rg/", "/other/")


def two_of_three(code: str, cause: str = "") -> list[object]:
    """The recommendations, of which the last one says something else."""
    return [*all_healthy()[:-1], assessment(EDR_RUNNING[-1], code, cause=cause)]


def test_what_is_known_of_whether_it_runs(hold: Hold) -> None:
    """Its own words prove it; so do recommendations, all healthy, with posture on. A clock may be a day ahead."""
    inactive, other = device(healthStatus="Inactive"), "dc5357d0-3858-4d17-a1a3-072840bff5be"
    words = az.document({"healthy": "true", "licensed": "True", "org_id": "a"}, "h.json", "web-1")
    hold(
        on_machine,
        (COVERED, [health()], [words], [{"value": [device()]}], [device(seen=ago(days=7))]),
        (COVERED, [*two_of_three("Unhealthy"), health()]),
        (COVERED, [device(seen=ago(days=90), healthStatus="Inactive"), device()], [device(seen=ago(hours=-23))]),
        (COVERED, [*all_healthy(), POSTURE], [*all_healthy(), pricing("CloudPosture")]),
        (GAP, [health(healthy=False)], [health(licensed=False)]),
        (GAP, [{"value": [device(onboardingStatus="CanBeOnboarded")]}]),
        (GAP, [{"value": [inactive]}], [device(healthStatus="NoSensorData")], [device(), inactive]),
        (GAP, [health(), inactive]),
        (GAP, [*two_of_three("Unhealthy"), POSTURE]),
        (UNKNOWN, [extension()], [health(licensed=None)], [health(None)], [device(seen=ago(days=7, seconds=1))]),
        (UNKNOWN, [{"value": [device(onboardingStatus=None)]}], [{"value": [device(healthStatus=None)]}]),
        (UNKNOWN, [device(lastSeen=None)], [device(lastSeen="yesterday")], [device(None)], [device(NAMESAKE)]),
        (UNKNOWN, [device(seen=ago(hours=-25))], [device(seen=ago(days=-18000))]),
        (UNKNOWN, all_healthy(), [*all_healthy(), pricing("FoundationalCspm", "Free")], [*all_healthy()[:-1], POSTURE]),
        (UNKNOWN, [*two_of_three("NotApplicable", "Exempt"), POSTURE]),
        (UNKNOWN, [*two_of_three("NotApplicable", "OffByPolicy"), POSTURE]),
        (UNKNOWN, [assessment(other), POSTURE], [assessment(other, "Unhealthy"), POSTURE]),
    )
    off, tagged = machine(power="deallocated"), machine(tags=EXCLUDED)
    hold(
        running,
        (COVERED, [tagged, health()], [tagged, *all_healthy(), POSTURE], [off, device()]),
        (GAP, [tagged], [off, health(healthy=False)]),
        (NOT_COVERABLE, [off], [off, inactive], [off, device(), inactive]),
        (UNKNOWN, [machine(timeCreated=ago(hours=1)), *two_of_three("Unhealthy"), POSTURE]),
    )


def test_a_name_before_the_file_says_which_machine_it_is_of() -> None:
    """By name, group and name, or id, in any case; one of two is refused. A sensor is asked, and given with its name."""
    both = [machine(), machine(NAMESAKE.replace("web-1", "web-2"))]
    for name in ("web-1", "WEB-1", "rg/web-1", MACHINE, None, "web-3"):
        result = judged(both, health(name))
        is_known = name not in (None, "web-3")
        assert verdict(result, "web-1", Rung.SENSOR_RUNNING).state is (COVERED if is_known else UNKNOWN)
        assert verdict(result, "web-2", Rung.SENSOR_RUNNING).state is UNKNOWN
        assert [name for name, _ in result.unused] == ([] if is_known else ["health.json"])
    said = az.document([{"healthy": True, "licensed": True}], "my health.json")
    assert [name for name, _ in judged([machine()], said).unused] == ["my health.json"]
    for more in ([], [{**machine(), "name": "web-1-renamed"}]):
        with pytest.raises(BadUsage, match=r"web-1: is the name of several machines"):
            judged([machine(), machine(NAMESAKE), *more], health())
    found = running(machine())
    assert found.remedy == f"{ASK_SENSOR} > web-1.json"
    assert "run it on web-1, and give web-1.json as web-1=web-1.json" in found.remarks
    assert running(machine(), health()).state is COVERED
    hostile = "x; rm -rf ~"
    found = running(machine(MACHINE.replace("web-1", hostile)), of=hostile)
    assert found.remedy == f"{ASK_SENSOR} > x-rm-rf.json"


KEY = "f00d"


def test_the_extension_of_its_machine_and_the_recommendation_say_whether_sql_is_protected(hold: Hold) -> None:
    """Neither the plan nor Defender for Endpoint does. The key is documented nowhere, so that the title counts."""
    endpoint = extension(type="MDE.Windows")
    hold(
        sql_installed,
        (COVERED, [sql_extension()], [machine(resources=[sql_extension()])]),
        (GAP, [sql_extension("Failed")], [sql_extension("Failed"), sql_extension()], [machine(resources=[endpoint])]),
        (UNKNOWN, [pricing("SqlServerVirtualMachines")], [sql_extension("Creating")], [endpoint]),
        (UNKNOWN, [machine(resources=None, timeCreated=ago(hours=1))]),
        (UNKNOWN, [sql_extension(of=MACHINE.replace("web-1", "web-2"))]),
        (NOT_COVERABLE, [machine(power="deallocated")]),
    )
    unhealthy = assessment(KEY, "Unhealthy", title=SQL_PROTECTED)
    exempt = assessment(KEY, "NotApplicable", title=SQL_PROTECTED, cause="Exempt")
    other = assessment("08d649c8-5458-46dd-a13c-e1c5c7b1687c", of=SQL)
    hold(
        sql_running,
        (COVERED, [assessment(KEY, title=SQL_PROTECTED, of=SQL), POSTURE]),
        (COVERED, [assessment(KEY, title=f"{SQL_PROTECTED} (Preview)"), POSTURE]),
        (GAP, [unhealthy]),
        (UNKNOWN, [], [sql_extension()], [assessment(KEY, title=SQL_PROTECTED)], [exempt, POSTURE], [other, POSTURE]),
        (NOT_COVERABLE, [machine(power="stopped"), unhealthy]),
    )


def test_azure_arc_says_whether_it_is_protected_and_so_has_its_sensor(hold: Hold) -> None:
    """For a day, and before the recommendation, which counts only while Azure Arc reaches the machine."""
    said = assessment(KEY, title=SQL_PROTECTED, of=ARC_SQL), POSTURE

    def seen(**span: float) -> list[object]:
        return [arc_sql("Protected", at=ago(**span))]

    hold(
        partial(running, of="till-1_TILL"),
        (COVERED, seen(days=1), seen(hours=-23), [arc_sql(), arc_machine(), *said]),
        (GAP, [arc_sql("Unprotected", at=ago(hours=1))], [arc_sql("Unprotected"), arc_machine(), *said]),
        (UNKNOWN, seen(days=1, seconds=1), seen(hours=-25), [arc_sql("Protected")], [arc_sql()]),
        (UNKNOWN, [arc_sql("Unknown", at=ago(hours=1))]),
        (UNKNOWN, *([arc_sql(), arc_machine(status), *said] for status in ("Disconnected", "Expired"))),
    )
    assert installed(arc_sql("Protected", at=ago(hours=1)), of="till-1_TILL").state is COVERED
    remedy = installed(arc_sql(), sql_extension("Failed", of=ARC), of="till-1_TILL").remedy or ""
    assert remedy.startswith("az connectedmachine extension delete")


SECOND = f"{MACHINE.rpartition('/')[0]}/web-2"


def test_of_two_machines_the_same_is_asked_by_the_same_line_and_its_answer_is_read() -> None:
    """Two hundred lines are run by nobody. Pages come only where the id is projected. What was answered is not asked again."""
    healthy = [one for of in (MACHINE, SECOND) for one in all_healthy(of)]
    all_but_one = [one for of in (MACHINE, SECOND) for one in all_healthy(of)[:-1]]
    for judge, documents, ask in (
        (installed, [], ASK_ENDPOINT_EXTENSIONS),
        (running, healthy, ASK_POSTURE),
        (running, all_but_one, ask_recommendations(*EDR_RUNNING)),
    ):
        found = [judge(machine(), machine(SECOND), *documents, of=name) for name in ("web-1", "web-2")]
        assert [(one.state, one.remedy) for one in found] == [(UNKNOWN, ask)] * 2
    some = (ASK_ENDPOINT_EXTENSIONS, ASK_EXTENSIONS, ASK_POSTURE, ASK_SQL_RECOMMENDATIONS, ask_recommendations("a"))
    for words in map(shlex.split, some):
        assert (words[:4], words[5:]) == (["az", "graph", "query", "-q"], ["--first", "1000", "-o", "json"])
        assert words[4].rpartition("| project ")[2].startswith("id, name, type")
    assert sql_installed(machine()).remedy == ASK_EXTENSIONS
    assert sql_running(machine()).remedy == ASK_SQL_RECOMMENDATIONS
    row = {"id": MACHINE, "name": "web-1", "type": "microsoft.compute/virtualmachines"}
    for state, said in ((COVERED, "Succeeded"), (GAP, "Failed"), (UNKNOWN, "")):
        properties = {"type": "MDE.Linux", "provisioningState": said} if said else None
        joined = {**row, "name1": "MDE.Linux" if said else "", "properties1": properties}
        answered = installed(machine(), {"data": [joined], "total_records": 1})
        assert (answered.state, answered.remedy == ASK_ENDPOINT_EXTENSIONS) == (state, False)
    posture = {**pricing("FoundationalCspm"), "type": "microsoft.security/pricings"}
    answer = {"data": [posture], "total_records": 1}
    assert running(machine(), *all_healthy(), answer).state is COVERED


def test_the_query_has_a_row_for_each_machine_and_no_two_for_one() -> None:
    """Rows of one id would look like a page that was cut; the query is run, on a table as Resource Graph has it."""
    graph = duckdb_kql.connect()
    graph.execute("CREATE TABLE resources (id VARCHAR, name VARCHAR, type VARCHAR, properties JSON)")
    kind = "microsoft.compute/virtualmachines"
    for id, type, properties in [
        (MACHINE, kind, {}),
        (SECOND, kind, {}),
        (f"{MACHINE.upper()}/extensions/MDE.Linux", f"{kind}/extensions", {"type": "MDE.Linux"}),
        (f"{MACHINE}/extensions/Monitor", f"{kind}/extensions", {"type": "AzureMonitorLinuxAgent"}),
    ]:
        graph.execute(
            "INSERT INTO resources VALUES (?, ?, ?, ?)", [id, id.rpartition("/")[2], type, json.dumps(properties)]
        )
    found = duckdb_kql.query(graph, shlex.split(ASK_ENDPOINT_EXTENSIONS)[4])
    rows = {row["id"]: row for row in (dict(zip(found.columns, one, strict=True)) for one in found.fetchall())}
    assert {id: row["name1"] or None for id, row in rows.items()} == {MACHINE: "MDE.Linux", SECOND: None}
    assert json.loads(rows[MACHINE]["properties1"]) == {"type": "MDE.Linux"}


def test_a_gap_is_mended_by_its_line_and_asks_nothing(hold: Hold) -> None:
    """What its own document answered is not asked again; a line for the machine says where to run it."""
    disk = {"storageProfile": {"osDisk": {"osType": "Windows"}}}
    linux, windows = machine(), az.resource(MACHINE, "Microsoft.Compute/virtualMachines", disk)
    ill, set_it, there = (
        [assessment(key, "Unhealthy") for key in EDR_RUNNING],
        "az vm extension set ",
        "run it on web-1",
    )
    sql = assessment("f00d", "Unhealthy", title=SQL_PROTECTED, of=SQL)
    plan = "az security pricing create -n SqlServerVirtualMachines "
    hold(
        running,
        (GAP, there, "systemctl restart mdatp", [linux, health(healthy=False)]),
        (GAP, there, "sc.exe start sense", [windows, device(healthStatus="Inactive")]),
        (GAP, "", set_it, [linux, health(licensed=False)]),
        (GAP, there, "mdatp scan quick", [linux, ill[0]]),
        (GAP, there, "powershell.exe Update-MpSignature", [windows, ill[1]]),
    )
    hold(installed, (GAP, "", set_it, [linux, UNHEALTHY]))
    hold(sql_installed, (GAP, "", set_it, [machine(resources=None)]))
    hold(partial(running, of="ledger"), (GAP, "", plan, [sql]))
    arc = partial(running, of="till-1_TILL")
    hold(arc, (GAP, "", "az connectedmachine extension create ", [arc_sql("Unprotected")]))

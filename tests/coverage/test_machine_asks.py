"""What would answer for many machines is one line, the same for all of them, and its answer is read."""

from __future__ import annotations

import json
import shlex

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
from router.domain.recommendations import EDR_INSTALLED, EDR_RUNNING, SQL_PROTECTED
from tests.coverage.builders import COVERED, GAP, MACHINE, UNKNOWN, judged, pricing, resource, verdict
from tests.coverage.machine_builders import SQL, all_healthy, arc_sql, assessment, device, health, machine, sql_machine

OTHER = f"{MACHINE.rpartition('/')[0]}/web-2"


def on(rung: Rung, *documents: object, name: str = "web-1") -> Verdict:
    """What is known of a machine on a rung."""
    return verdict(judged(*documents), name, rung)


def test_of_two_machines_the_same_is_asked_by_the_same_line() -> None:
    """Two hundred lines are run by nobody. A query takes all that a page may have and can be continued.

    Pages come only where the id is projected: https://learn.microsoft.com/azure/governance/resource-graph/paginate-powershell
    """
    healthy = [one for of in (MACHINE, OTHER) for one in all_healthy(of)]
    all_but_one = [one for of in (MACHINE, OTHER) for one in all_healthy(of)[:-1]]
    for rung, documents, ask in (
        (Rung.SENSOR_INSTALLED, [], ASK_ENDPOINT_EXTENSIONS),
        (Rung.SENSOR_RUNNING, healthy, ASK_POSTURE),
        (Rung.SENSOR_RUNNING, all_but_one, ask_recommendations(*EDR_RUNNING)),
    ):
        found = [on(rung, machine(), machine(OTHER), *documents, name=name) for name in ("web-1", "web-2")]
        assert [(one.state, one.remedy) for one in found] == [(UNKNOWN, ask)] * 2
    some = (ASK_ENDPOINT_EXTENSIONS, ASK_EXTENSIONS, ASK_POSTURE, ASK_SQL_RECOMMENDATIONS, ask_recommendations("a"))
    for words in map(shlex.split, some):
        assert (words[:4], words[5:]) == (["az", "graph", "query", "-q"], ["--first", "1000", "-o", "json"])
        assert words[4].rpartition("| project ")[2].startswith("id, name, type")


def test_the_answer_of_each_query_is_read() -> None:
    """A machine without the extension is not asked for its extensions again; with posture, healthy recommendations count."""
    row = {"id": MACHINE, "name": "web-1", "type": "microsoft.compute/virtualmachines"}
    for state, said in ((COVERED, "Succeeded"), (GAP, "Failed"), (UNKNOWN, "")):
        properties = {"type": "MDE.Linux", "provisioningState": said} if said else None
        joined = {**row, "name1": "MDE.Linux" if said else "", "properties1": properties}
        found = on(Rung.SENSOR_INSTALLED, machine(), {"data": [joined], "total_records": 1})
        assert (found.state, found.remedy == ASK_ENDPOINT_EXTENSIONS) == (state, False)
    posture = {**pricing("FoundationalCspm"), "type": "microsoft.security/pricings"}
    answer = {"data": [posture], "total_records": 1}
    assert on(Rung.SENSOR_RUNNING, machine(), *all_healthy(), answer).state is COVERED


def test_what_a_sensor_says_is_asked_on_its_machine_and_given_with_its_name() -> None:
    """The answer does not say which machine it is of. No name of a machine acts in the file that is written."""
    found = on(Rung.SENSOR_RUNNING, machine())
    assert found.remedy == f"{ASK_SENSOR} > web-1.json"
    assert "run it on web-1, and give web-1.json as web-1=web-1.json" in found.remarks
    assert on(Rung.SENSOR_RUNNING, machine(), health()).state is COVERED
    hostile = "x; rm -rf ~"
    found = on(Rung.SENSOR_RUNNING, machine(MACHINE.replace("web-1", hostile)), name=hostile)
    assert found.remedy == f"{ASK_SENSOR} > x-rm-rf.json"


def test_the_extensions_of_all_machines_are_asked_for_sql() -> None:
    """They have the one of Defender for SQL, too."""
    documents = machine(), sql_machine()
    assert on(Rung.SENSOR_INSTALLED, *documents, name="ledger").remedy == ASK_EXTENSIONS
    assert on(Rung.SENSOR_RUNNING, *documents, name="ledger").remedy == ASK_SQL_RECOMMENDATIONS


def test_the_query_has_a_row_for_each_machine_and_no_two_for_one() -> None:
    """Rows of one id would look like a page that was cut; the query is run, on a table as Resource Graph has it."""
    graph = duckdb_kql.connect()
    graph.execute("CREATE TABLE resources (id VARCHAR, name VARCHAR, type VARCHAR, properties JSON)")
    kind = "microsoft.compute/virtualmachines"
    for id, type, properties in [
        (MACHINE, kind, {}),
        (OTHER, kind, {}),
        (f"{MACHINE.upper()}/extensions/MDE.Linux", f"{kind}/extensions", {"type": "MDE.Linux"}),
        (f"{MACHINE}/extensions/Monitor", f"{kind}/extensions", {"type": "AzureMonitorLinuxAgent"}),
    ]:
        graph.execute(
            "INSERT INTO resources VALUES (?, ?, ?, ?)", [id, id.rpartition("/")[2], type, json.dumps(properties)]
        )
    found = duckdb_kql.query(graph, shlex.split(ASK_ENDPOINT_EXTENSIONS)[4])
    rows = {row["id"]: row for row in (dict(zip(found.columns, one, strict=True)) for one in found.fetchall())}
    assert {id: row["name1"] or None for id, row in rows.items()} == {MACHINE: "MDE.Linux", OTHER: None}
    assert json.loads(rows[MACHINE]["properties1"]) == {"type": "MDE.Linux"}


def test_a_gap_is_mended_by_its_line_and_asks_nothing(subtests: pytest.Subtests) -> None:
    """What its own document answered is not asked again; a line for the machine says where to run it."""
    running, installed = Rung.SENSOR_RUNNING, Rung.SENSOR_INSTALLED
    disk = {"storageProfile": {"osDisk": {"osType": "Windows"}}}
    linux, windows = machine(), resource(MACHINE, "Microsoft.Compute/virtualMachines", disk)
    ill = [assessment(key, "Unhealthy") for key in EDR_RUNNING]
    sql = assessment("f00d", "Unhealthy", title=SQL_PROTECTED, of=SQL)
    for line, rung, *documents in (
        ("systemctl restart mdatp", running, linux, health(healthy=False)),
        ("sc.exe start sense", running, windows, device(healthStatus="Inactive")),
        ("az vm extension set", running, linux, health(licensed=False)),
        ("mdatp scan quick", running, linux, ill[0]),
        ("powershell.exe Update-MpSignature", running, windows, ill[1]),
        ("az vm extension set", installed, linux, assessment(EDR_INSTALLED, "Unhealthy")),
        ("az vm extension set", installed, machine(resources=None), sql_machine()),
        ("az connectedmachine extension create", running, arc_sql("Unprotected")),
        ("az security pricing create -n SqlServerVirtualMachines", running, sql),
    ):
        with subtests.test(line=line, rung=rung):
            gaps = [
                (workload.name, one)
                for workload, at, one in judged(*documents).assessed.verdicts()
                if at is rung and one.state is GAP
            ]
            name, found = gaps[-1]
            assert (found.remedy or "").startswith(str(line)), found.remedy
            assert str(line).startswith("az ") or f"run it on {name}" in found.remarks

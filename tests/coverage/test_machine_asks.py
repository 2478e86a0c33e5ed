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
from router.coverage.verdicts import CoverageState, Verdict
from router.domain.coverage import Rung
from router.domain.recommendations import EDR_INSTALLED, EDR_RUNNING, SQL_PROTECTED
from tests.coverage.builders import MACHINE, Json, judged, pricing, resource, verdict
from tests.coverage.machine_builders import SQL, all_healthy, arc_sql, assessment, device, health, machine, sql_machine

OTHER = f"{MACHINE.rpartition('/')[0]}/web-2"
UNKNOWN = CoverageState.UNKNOWN


def on(rung: Rung, *documents: object, name: str = "web-1") -> Verdict:
    """What is known of a machine on a rung."""
    return verdict(judged(*documents), name, rung)


@pytest.mark.parametrize(
    ("rung", "documents", "ask"),
    [
        (Rung.SENSOR_INSTALLED, [], ASK_ENDPOINT_EXTENSIONS),
        (Rung.SENSOR_RUNNING, [one for of in (MACHINE, OTHER) for one in all_healthy(of)], ASK_POSTURE),
        (
            Rung.SENSOR_RUNNING,
            [one for of in (MACHINE, OTHER) for one in all_healthy(of)[:-1]],
            ask_recommendations(*EDR_RUNNING),
        ),
    ],
)
def test_of_two_machines_the_same_is_asked_by_the_same_line(rung: Rung, documents: list[Json], ask: str) -> None:
    """Two hundred lines are run by nobody."""
    files = [machine(), machine(OTHER), *documents]
    found = [on(rung, *files, name=name) for name in ("web-1", "web-2")]
    assert [(one.state, one.remedy) for one in found] == [(UNKNOWN, ask)] * 2


@pytest.mark.parametrize(
    "ask", [ASK_ENDPOINT_EXTENSIONS, ASK_EXTENSIONS, ASK_POSTURE, ASK_SQL_RECOMMENDATIONS, ask_recommendations("a")]
)
def test_a_query_takes_all_that_a_page_may_have_and_can_be_continued(ask: str) -> None:
    """Pages come only where the id is projected: https://learn.microsoft.com/azure/governance/resource-graph/paginate-powershell"""
    words = shlex.split(ask)
    assert words[:4] == ["az", "graph", "query", "-q"]
    assert words[5:] == ["--first", "1000", "-o", "json"]
    assert words[4].rpartition("| project ")[2].startswith("id, name, type")


@pytest.mark.parametrize(
    ("extension", "state"),
    [
        ({"name1": "MDE.Linux", "properties1": {"type": "MDE.Linux", "provisioningState": "Succeeded"}}, "covered"),
        ({"name1": "MDE.Linux", "properties1": {"type": "MDE.Linux", "provisioningState": "Failed"}}, "gap"),
        ({"name1": "", "properties1": None}, "unknown"),
    ],
)
def test_its_answer_tells_of_each_machine_whether_it_has_the_extension(extension: Json, state: str) -> None:
    """A machine without one is not asked for its extensions again, but for its sensor."""
    row = {"id": MACHINE, "name": "web-1", "type": "microsoft.compute/virtualmachines", **extension}
    found = on(Rung.SENSOR_INSTALLED, machine(), {"data": [row], "total_records": 1})
    assert found.state == state
    assert found.remedy != ASK_ENDPOINT_EXTENSIONS


def test_its_answer_tells_of_each_subscription_whether_recommendations_come() -> None:
    """With it, those that are healthy count."""
    row = {**pricing("FoundationalCspm"), "type": "microsoft.security/pricings"}
    answer = {"data": [row], "total_records": 1}
    assert on(Rung.SENSOR_RUNNING, machine(), *all_healthy(), answer).state is CoverageState.COVERED


def test_what_a_sensor_says_is_asked_on_its_machine_and_given_with_its_name() -> None:
    """The answer does not say which machine it is of."""
    found = on(Rung.SENSOR_RUNNING, machine())
    assert found.remedy == f"{ASK_SENSOR} > web-1.json"
    assert "run it on web-1, and give web-1.json as web-1=web-1.json" in found.remarks
    assert on(Rung.SENSOR_RUNNING, machine(), health()).state is CoverageState.COVERED


def test_no_name_of_a_machine_acts_in_the_file_that_is_written() -> None:
    """Whoever names a machine may write anything."""
    found = on(Rung.SENSOR_RUNNING, machine(MACHINE.replace("web-1", "x; rm -rf ~")), name="x; rm -rf ~")
    assert found.remedy == f"{ASK_SENSOR} > x-rm-rf.json"


def test_the_extensions_of_all_machines_are_asked_for_sql() -> None:
    """They have the one of Defender for SQL, too."""
    found = judged(machine(), sql_machine())
    (row,) = [one for one in found.assessed.rows if one.workload.subject == SQL.lower()]
    assert row.verdicts[Rung.SENSOR_INSTALLED].remedy == ASK_EXTENSIONS
    assert row.verdicts[Rung.SENSOR_RUNNING].remedy == ASK_SQL_RECOMMENDATIONS


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


WINDOWS = resource(MACHINE, "Microsoft.Compute/virtualMachines", {"storageProfile": {"osDisk": {"osType": "Windows"}}})
MENDS: dict[str, tuple[Rung, list[object], str]] = {
    "systemctl restart mdatp": (Rung.SENSOR_RUNNING, [machine(), health(healthy=False)], "web-1"),
    "sc.exe start sense": (Rung.SENSOR_RUNNING, [WINDOWS, device(healthStatus="Inactive")], "web-1"),
    "az vm extension set": (Rung.SENSOR_RUNNING, [machine(), health(licensed=False)], "web-1"),
    "mdatp scan quick": (Rung.SENSOR_RUNNING, [machine(), assessment(EDR_RUNNING[0], "Unhealthy")], "web-1"),
    "powershell.exe Update-MpSignature": (
        Rung.SENSOR_RUNNING,
        [WINDOWS, assessment(EDR_RUNNING[1], "Unhealthy")],
        "web-1",
    ),
    "az vm extension set ": (Rung.SENSOR_INSTALLED, [machine(), assessment(EDR_INSTALLED, "Unhealthy")], "web-1"),
    "az vm extension set  ": (Rung.SENSOR_INSTALLED, [machine(resources=None), sql_machine()], "ledger"),
    "az connectedmachine extension create": (Rung.SENSOR_RUNNING, [arc_sql("Unprotected")], "till-1_TILL"),
    "az security pricing create -n SqlServerVirtualMachines": (
        Rung.SENSOR_RUNNING,
        [assessment("f00d", "Unhealthy", title=SQL_PROTECTED, of=SQL)],
        "ledger",
    ),
}


@pytest.mark.parametrize("line", MENDS)
def test_a_gap_is_mended_by_its_line_and_asks_nothing(line: str) -> None:
    """What its own document answered is not asked again; a line for the machine says where to run it."""
    rung, documents, name = MENDS[line]
    found = on(rung, *documents, name=name)
    assert found.state is CoverageState.GAP
    assert (found.remedy or "").startswith(line.strip()), found.remedy
    assert line.startswith("az ") or f"run it on {name}" in found.remarks

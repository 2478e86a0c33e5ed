"""`coverage check|report --state`: what a router knows is judged beside files, or alone, and stays as it is."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import pytest

from router.coverage.last_check import KEPT, LastCheck, find_check
from router.domain.coverage_sources import CoverageSource, CoverageSourceKind, LastHeard
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.recommendations import EDR_RUNNING
from router.domain.silent_sources import KnownSource, SourceWatch
from router.store.documents import document_of_watch, find_document, put_document
from router.store.sources import write_heard, write_watched
from router.store.store import Store
from tests.cli.house import House, Transcript, over_both
from tests.coverage.builders import MACHINE, NOW, SUBSCRIPTION, managed_cluster
from tests.coverage.machine_builders import ago, all_healthy, assessment
from tests.coverage.stored_builders import drill, said
from tests.store.opened import rows_in
from tests.store.within import within

AT = ("--now", "2026-11-25T12:00:00Z")
CHECK = "coverage check --now 2026-11-25T12:00:00Z --state .state"
SOURCE = CoverageSource(CoverageSourceKind.SUBSCRIPTION, SUBSCRIPTION)


def facts(id: str, body: object) -> StoredDocument:
    """A fact as the router keeps it."""
    return StoredDocument(kind=DocumentKind.FACT, id=id, at=NOW, body=json.dumps(body).encode())


KNOWN = (
    facts(MACHINE.lower(), said(*all_healthy())),
    facts(f"drill:{SUBSCRIPTION}:VirtualMachines", drill()),
    LastHeard(source=SOURCE, posture=NOW, healthy=NOW),
)


def state_with(house: House, *known: StoredDocument | LastHeard | KnownSource) -> House:
    """A house whose state holds these documents, when sources were last heard of, and what looks found of them."""

    async def write(store: Store) -> None:
        for one in known:
            if isinstance(one, LastHeard):
                await within(store, write_heard, [one], NOW)
            elif isinstance(one, KnownSource):
                await within(store, write_watched, [one], NOW)
            else:
                await within(store, put_document, one)

    house.in_state(write)
    return house


EVERYTHING = "SELECT kind, id, body FROM documents ORDER BY kind, id"


@over_both
def test_a_state_is_judged_alone_and_beside_files(house: House) -> None:
    """What it proves counts as what files prove; it is one document, by its own name, and stays as it is."""
    state_with(house, *KNOWN)

    def everything() -> object:
        is_file = not isinstance(house.state, str)
        return (house.directory / ".state/router.db").read_bytes() if is_file else rows_in(house.state, EVERYTHING)

    before = everything()
    name, alone = unquote(str(house.state)), found(house, "--state", str(house.state))
    assert alone["exit_code"] == 2
    assert states(alone)["web-1", "sensor-running"] == states(alone)[SUBSCRIPTION, "path"] == "covered"
    assert alone["summary"].startswith(f"2 workloads of the state {name} judged: ")
    assert alone["files"]["used"] == [f"stream ({name})"]
    house.writes("clusters.json", json.dumps(managed_cluster()))
    both = found(house, "clusters.json", "--state", str(house.state))
    assert both["summary"].startswith(f"3 workloads of 1 file and the state {name} judged: ")
    assert states(both).items() >= states(alone).items()
    (shown, *_) = both["workloads"][1]["rungs"]["sensor-running"]["evidence"]
    assert shown["document"] == f"stream ({name}) {MACHINE.lower()} [0]"
    assert house.says("coverage", "report", *AT, "--state", str(house.state)).code == 0
    assert everything() == before


def test_a_fact_that_is_damaged_is_an_answer_that_nobody_has(house: House) -> None:
    """What else is there counts; the command ends as for an answer that was refused. Without facts nothing is judged."""
    said = state_with(house).says("coverage", "check", *AT, "--state", ".state")
    assert said.code == 2
    assert "0 workloads of the state .state judged: there is nothing to judge" in said.out
    assert "stream (.state): not used: it holds no facts of coverage yet" in said.out
    state_with(house, *KNOWN, StoredDocument(kind=DocumentKind.FACT, id="/x", at=NOW, body=b"{"))
    damaged = found(house, "--state", ".state")
    assert (damaged["exit_code"], len(damaged["files"]["unanswered"])) == (2, 1)
    assert states(damaged)["web-1", "sensor-running"] == "covered"


@over_both
def test_a_check_keeps_its_verdicts_where_that_is_wanted(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last one replaces the one before; without a state there is nowhere to keep them, and nothing is judged."""
    name = str(house.state)
    state_with(house, *KNOWN)
    house.writes("clusters.json", json.dumps(managed_cluster(has_sensor=False)))
    for files in ([], ["clusters.json"]):
        said = found(house, *files, "--state", name, "--keep-verdicts")
        kept: list[LastCheck | None] = []

        async def read(store: Store) -> None:
            document = await within(store, find_document, DocumentKind.COVERAGE, KEPT)
            kept.append(find_check(document) if document is not None else None)  # noqa: B023  It is done at once.

        house.in_state(read)
        (check,) = kept
        assert check is not None
        assert (check.at, check.summary) == (NOW, said["summary"])
        assert {
            (row.workload.name, rung.value): it.state for row in check.rows for rung, it in row.verdicts.items()
        } == states(said)
        reasons = {it.reason for row in check.rows for it in row.verdicts.values()} - {""}
        assert reasons <= {it["reason"] for one in said["workloads"] for it in one["rungs"].values()}
    monkeypatch.delenv("ALERT_ROUTER_STATE", raising=False)
    refused = house.says("coverage", "check", *AT, "clusters.json", "--keep-verdicts")
    assert (refused.code, refused.out) == (2, "")


def found(house: House, *arguments: str) -> Any:
    """What the command says for programs."""
    return json.loads(house.says("coverage", "check", *AT, "--format", "json", *arguments).out)


def states(said: Any) -> dict[tuple[str, str], str]:
    """What is known of each workload on each rung."""
    return {
        (one["name"], rung): verdict["state"] for one in said["workloads"] for rung, verdict in one["rungs"].items()
    }


def test_the_age_of_what_a_message_said_is_said(house: House) -> None:
    """As a line of text beside the evidence, and for programs in seconds; of a file nobody knows it."""
    unhealthy = assessment(EDR_RUNNING[0], "Unhealthy", at="2026-10-01T00:00:00Z")
    state_with(house, facts(MACHINE.lower(), said(unhealthy, seen=ago(days=20))))
    lines = house.says("coverage", "check", *AT, "--state", ".state").out.splitlines()
    (line,) = [one for one in lines if f"{EDR_RUNNING[0]} status.code is unhealthy" in one]
    assert line.endswith(" at 2026-10-01T00:00:00Z, 20 days ago")
    (shown,) = found(house, "--state", ".state")["workloads"][0]["rungs"]["sensor-running"]["evidence"]
    assert (shown["known_at"], shown["age_seconds"]) == (ago(days=20), 20 * 86_400)
    house.writes("clusters.json", json.dumps(managed_cluster()))
    (shown,) = found(house, "clusters.json")["workloads"][0]["rungs"]["integration"]["evidence"]
    assert (shown["time"], shown["known_at"], shown["age_seconds"]) == (None, None, None)


EXPECTS = f"expect:\n  - {{kind: subscription, name: {SUBSCRIPTION}}}\n"
EXCUSES = (
    f"exceptions:\n  - {{kind: subscription, name: {SUBSCRIPTION}, rungs: [export], owner: platform@contoso.example, "
    "reason: CHG-1 moves it, ends: 2026-12-31}\n"
)


def quiet(house: House, days: int) -> House:
    """A house that last heard of its one subscription so many days ago."""
    house.writes("rules/coverage.yaml", EXPECTS)
    return state_with(house, LastHeard(source=SOURCE, posture=NOW - timedelta(days=days)))


def test_a_source_that_is_silent_or_soon_will_be_is_named(house: House, transcript: Transcript) -> None:
    """The gate does not fail by it; whose silence is known finds there what excuses it. What nothing expects is counted."""
    for days in (9, 8, 7):
        quiet(house, days)
        transcript(CHECK)
    house.writes("rules/coverage.yaml", EXPECTS.replace("11111111", "22222222"))
    transcript(CHECK)


@pytest.mark.parametrize(("hours", "is_silent"), [(7 * 24, False), (9 * 24, True)])
@pytest.mark.parametrize("swept", [True, False])
def test_silence_counts_from_the_first_run(house: House, swept: bool, hours: int, is_silent: bool) -> None:
    """Of a plan that nothing spoke of yet, as in the sweep; also where no sweep has looked yet."""
    began, at = NOW - timedelta(hours=hours), NOW - timedelta(minutes=5)
    house.writes("rules/coverage.yaml", EXPECTS.replace("}", ", plans: {Containers: any, Arm: any}}"))
    other = CoverageSource(CoverageSourceKind.PLAN, SUBSCRIPTION, "Arm")
    heard = [LastHeard(source=SOURCE, posture=at, snapshot=at, healthy=at), LastHeard(source=other, posture=began)]
    plan = CoverageSource(CoverageSourceKind.PLAN, SUBSCRIPTION, "Containers")
    watch = document_of_watch("cspm", SourceWatch(anew=began, taken=at))
    looked = (watch, KnownSource(heard=LastHeard(source=plan), since=began))
    state_with(house, *heard, *(looked if swept else ()))
    line = f"plan Containers of {SUBSCRIPTION}: silent for too long: no recommendation ever"
    assert (line in house.says(*CHECK.split()).out) is is_silent
    (told,) = [one for one in found(house, "--state", ".state")["sources"] if one["plan"] == "Containers"]
    assert told["silent"] is (is_silent if swept or is_silent else None)


def test_an_exception_that_excuses_a_silence_is_used(house: House, transcript: Transcript) -> None:
    """It is told for what it is, on the page, too; where the source speaks again it excuses nothing."""
    quiet(house, 9).writes("rules/coverage.yaml", EXPECTS + EXCUSES)
    transcript(CHECK, f"{CHECK} --format json", CHECK.replace("-25T", "-20T"))
    house.says("coverage", "report", *AT, "--state", ".state")
    page = (house.directory / "coverage.html").read_text()
    assert "(silence excused until 2026-12-31T00:00:00Z, platform@contoso.example: CHG-1 moves it)" in page
    house.writes("subscription.json", json.dumps({"id": f"/subscriptions/{SUBSCRIPTION}", "state": "Enabled"}))
    assert found(house, "subscription.json")["idle_exceptions"] == [], "files do not say who is silent"


def test_nothing_to_judge_is_said_in_one_line(house: House) -> None:
    """Neither a file nor a state; a state that is not there, and one that is damaged."""
    house.writes(".state/router.db", b"SQLite format 3\0" + b"x" * 5000)
    for command in ("check", "report"):
        asked = ("coverage", command, *AT)
        assert "or the state of a router with --state" in house.says(*asked).complaint
        assert house.says(*asked, "--state", "nowhere").complaint.startswith("nowhere: holds no state")
        assert "router.db" in house.says(*asked, "--state", ".state").complaint

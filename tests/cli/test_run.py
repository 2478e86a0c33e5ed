"""`run`: what is decided is written, what is owed is delivered, and what is done is not done again."""

import asyncio
import json
import re
import shutil
import subprocess
import sys
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import pytest

from router.decide.decision import ENTRY_KEYS
from tests.cli.house import House, Transcript, a_process, a_suppression, column, ndjson, over_both
from tests.constructed.weeks import row_of
from tests.parse.messages import a_flat_alert, an_assessment
from tests.store.opened import open_store

NOW = "2026-11-24T12:00:00Z"
WEEKS = datetime.fromisoformat(NOW)


def an_alert(id: str, **changes: object) -> dict[str, object]:
    """A High alert under a short id."""
    return a_flat_alert(SystemAlertId=id, **changes)


@pytest.fixture
def alerts(house: House) -> str:
    """A file with an alert for people, one for the log only, and one that says nothing."""
    return house.writes("alerts.ndjson", ndjson(an_alert("one"), an_alert("two", Severity="Low"), b"?"))


def test_the_decisions_file_is_a_contract(house: House, alerts: str) -> None:
    """One JSON object a line, in input order, with every key of the design, in its order, and null or [] where empty."""
    routed, low, unread = house.routes("--now", NOW, alerts)
    assert tuple(routed) == tuple(low) == tuple(unread) == ENTRY_KEYS
    assert ENTRY_KEYS == (
        "id", "stream", "kind", "type", "title", "severity", "status", "plan", "resource", "sample", "outcome", "reason",
        "notice", "suppressed_by", "suppressed_until", "shadowed_by", "tactics", "techniques", "routes", "destinations",
        "rulebook", "source", "at",
    )  # fmt: skip
    assert tuple(routed.values()) == (
        "one", "cwpp", "alert", "VM_Example", "Something happens", "High", "New", "VirtualMachines",
        a_flat_alert()["AzureResourceId"], False, "routed", "routes: high", "opened", None, None, [], ["TA0003", "TA0006"], [],
        ["high"], ["everything", "people"], routed["rulebook"], "alerts.ndjson:1", NOW,
    )  # fmt: skip
    assert low["reason"] == "floor: Low is below Medium (default)"
    lists: dict[str, object] = {key: [] for key in ("shadowed_by", "tactics", "techniques", "routes", "destinations")}
    known = {"kind": "unknown", "sample": False, "outcome": "quarantined", "source": "alerts.ndjson:3", "at": NOW}
    assert unread == dict.fromkeys(ENTRY_KEYS) | lists | known | {"reason": unread["reason"]}
    assert unread["reason"].startswith("not_json: ")


def test_what_a_rule_holds_is_said_with_its_end_and_comes_out_then(house: House, transcript: Transcript) -> None:
    """The decision and the funnel name the rule; the run after its end delivers what it held, once."""
    house.writes("rules/cwpp/suppressions/known.json", a_suppression("VM_Example", "2026-11-25T00:00:00Z"))
    house.writes("none.ndjson", b"")
    (held,) = house.routes("--now", NOW, house.writes("a.ndjson", ndjson(an_alert("one"))))
    found = (held["outcome"], held["suppressed_by"], held["suppressed_until"])
    assert found == ("suppressed", "known", "2026-11-25T00:00:00Z")
    transcript(f"run --now {NOW} a.ndjson")
    assert house.lines("people.ndjson") == []
    transcript("run --now 2026-11-25T00:00:00Z none.ndjson", "run --now 2026-11-26 none.ndjson")
    assert column(house.lines("people.ndjson"), "id") == ["one"]


def test_what_shadow_rules_would_have_held_is_decided_and_told_as_ever(house: House, transcript: Transcript) -> None:
    """The decision names them, and the funnel counts them; in a dry run, too."""
    for name, until in (("b", "2026-12-31"), ("a", "2026-12-31"), ("over", "2026-01-01")):
        rule = a_suppression("VM_Example", f"{until}T00:00:00Z")
        house.writes(f"rules/cwpp/suppressions/shadow/{name}.json", rule)
    house.writes("a.ndjson", ndjson(an_alert("one"), an_alert("low", Severity="Low")))
    for extra in ("--dry-run", ""):
        transcript(f"run --now {NOW} {extra} --decisions decisions.ndjson a.ndjson")
        routed, low = house.lines("decisions.ndjson")
        assert (routed["outcome"], routed["destinations"]) == ("routed", ["everything", "people"])
        assert (routed["shadowed_by"], low["shadowed_by"]) == (["a", "b"], [])


def test_what_is_routed_is_delivered(
    house: House, alerts: str, transcript: Transcript, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each destination gets its notices, and the funnel tells how many; its parts add up, also of what told nobody.

    So it is with what is over before anybody was told of it; rules that are refused, and warnings, are said and stop nothing.
    """
    transcript(f"run --now {NOW} {alerts}")
    assert column(house.lines("people.ndjson"), "id") == ["one"]
    assert column(house.lines("everything.ndjson"), "id") == ["one"]
    policy = house.directory / "rules" / "cwpp" / "policy.yaml"
    quiet = "{name: quiet, when: {severity: [Low]}, to: []}"
    policy.write_text(policy.read_text().replace("default: Medium", "default: Low").replace("}]", f"}}, {quiet}]", 1))
    house.writes("rules/cwpp/suppressions/broad.json", a_suppression("*", "2026-12-31T00:00:00Z"))
    house.writes("rules/cwpp/suppressions/old.json", a_suppression("VM_Example", "2026-11-20T00:00:00Z"))
    assert transcript(f"run --now {NOW} --state other {alerts}").code == 0
    _page(house)
    monkeypatch.setenv("PAGER_KEY", "a key")
    states = [("New", "01"), ("Resolved", "02")]
    messages = [an_alert("one", Status=s, ProcessingEndTime=f"2026-11-{d}T00:00:00Z") for s, d in states]
    transcript(f"run --now {NOW} --state third {house.writes('a.ndjson', ndjson(*messages))}")


def test_a_second_run_repeats_and_sends_nothing(house: House, alerts: str) -> None:
    """What was routed is a repeat; what was too low or not understood is what it was. A file named twice is one."""
    outcomes = column(house.routes(alerts, alerts), "outcome")
    assert outcomes == ["routed", "below_floor", "quarantined", "repeat", "below_floor", "quarantined"]
    again = house.routes(alerts)
    assert column(again, "outcome") == ["repeat", "below_floor", "quarantined"]
    assert again[0]["reason"] == "same"
    assert len(house.lines("people.ndjson")) == 1
    assert "nothing sent, nothing owed" in house.says("run", alerts).out


def test_what_two_weekly_files_came_without_is_over(house: House) -> None:
    """Its destination is told its end, and the funnel counts it."""
    for day, names in ((0, "abcdefgh"), (7, "abcdefg"), (14, "abcdefg"), (15, "abcdefg")):
        house.writes("week.ndjson", b"\n".join(map(row_of, names)) + b"\n" * day)
        said = house.says("run", "--now", (WEEKS + timedelta(days=day)).isoformat(), "--stream", "cspm", "week.ndjson")
    assert (said.code, "1 finding ended: not seen in two snapshots" in said.out) == (0, True)
    *opened, over = house.lines("backlog.ndjson")
    assert ({one["change"] for one in opened}, over["change"]) == ({"opened"}, "resolved")
    assert over["title"] == "Update h"


@over_both
def test_who_the_policy_names_hears_that_a_rule_ends_soon_and_ends(house: House) -> None:
    """Once each: a run owes such news to the destinations of `notify`, whether these can be asked yet or not."""
    policy = house.directory / "rules" / "cwpp" / "policy.yaml"
    desk = "{kind: slack, url: {secret: SLACK_URL}}"
    policy.write_text(policy.read_text().replace("\ndestinations:", f"\nnotify: [desk]\ndestinations:\n  desk: {desk}"))
    house.writes("rules/cwpp/suppressions/scanner.json", a_suppression("VM_Example", "2026-12-01T12:00:00Z"))
    house.writes("held.ndjson", ndjson(an_alert("one")))
    owed = []
    for now in ("2026-11-24T12:00:00Z", "2026-11-24T13:00:00Z", "2026-12-01T12:00:00Z", "2026-12-01T13:00:00Z"):
        house.says("run", "--now", now, "held.ndjson")
        listed = json.loads(house.says("destinations", "list", "--format", "json", "--now", now).out)
        owed += [one["owed"] + one["dead"] for one in listed if one["name"] == "desk"]
    assert owed == [1, 1, 2, 2]


def test_each_message_goes_to_its_own_stream(house: House) -> None:
    """By what it is; with --stream the other one's is quarantined, as where there are no rules for it."""
    house.writes("mixed.ndjson", ndjson(an_alert("one"), an_assessment()))
    assert column(house.routes("mixed.ndjson"), "stream") == ["cwpp", "cspm"]
    assert column(house.lines("backlog.ndjson"), "stream") == ["cspm"]
    for extra in (("--state", "other"), ("--dry-run",)):
        routed, wrong = house.routes("--stream", "cwpp", *extra, "mixed.ndjson")
        assert routed["outcome"] == "routed"
        assert (wrong["outcome"], wrong["stream"]) == ("quarantined", "cwpp")
        assert wrong["reason"] == "wrong_stream: cspm recommendation on the cwpp stream"
        assert wrong["rulebook"] == routed["rulebook"]
    shutil.rmtree(house.directory / "rules" / "cspm")
    _, wrong = house.routes("--dry-run", "mixed.ndjson")
    assert wrong["reason"] == "wrong_stream: cspm recommendation on a router without rules for it"


def test_a_dry_run_does_nothing(house: House, alerts: str) -> None:
    """It decides like a run, but knows of no earlier message, needs no secret, and leaves no state and no notice."""
    house.routes(alerts)
    _page(house)
    before = sorted(house.directory.rglob("*"))
    decisions = house.routes("--dry-run", "--state", "elsewhere", alerts, alerts)
    assert column(decisions, "outcome") == ["routed", "below_floor", "quarantined"] * 2
    assert sorted(house.directory.rglob("*")) == before
    said = house.says("run", "--dry-run", alerts)
    assert "everything          1" in said.out
    assert "nothing sent" not in said.out


def test_who_stands_beyond_a_limit_is_told_by_a_run_that_brings_no_message(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A opens; B, C come and go beyond a limit of one; D stands. The run says that it waits, and the next one tells of it."""
    _page(house)
    policy = house.directory / "rules" / "cwpp" / "policy.yaml"
    policy.write_text(policy.read_text().replace("{kind: pagerduty", "{limit: {most: 1, window: 10m}, kind: pagerduty"))
    monkeypatch.setenv("PAGER_KEY", "a-secret")
    came = [("A", "New"), ("B", "New"), ("B", "Dismissed"), ("C", "New"), ("C", "Dismissed"), ("D", "New")]
    for minute, (id, status) in enumerate(came):
        house.writes("one.ndjson", ndjson(an_alert(id, Status=status)))
        before = house.says("run", "--now", f"2026-11-24T12:0{minute}:00Z", "one.ndjson").out
    assert "cwpp pager: 1 beyond its limit wait until it has room; a run after that tells of them" in before
    after = house.says("run", "--now", "2026-11-24T12:10:00Z", house.writes("none.ndjson", b"")).out
    assert "beyond its limit wait" not in after
    owed = [int(re.findall(r"pager: (\d+) owed, next due", said)[0]) for said in (before, after)]
    assert owed[1] == owed[0] + 1


def test_what_is_owed_is_said_with_when_and_why(house: House, alerts: str) -> None:
    """It keeps nobody, and the next run continues; what is given up on, or has nowhere to go, is told by exit 1, once."""
    (house.directory / "people.ndjson").mkdir()
    for state in ("sent", "old", "dropped"):
        said = house.says("run", "--state", state, "--now", NOW, alerts)
        assert said.code == 0
    (owed,) = [line for line in said.out.splitlines() if "owed, next due" in line]
    assert owed.startswith("  cwpp people: 1 owed, next due 2026-11-24T12:00:0")
    assert f"s): {house.directory}/people.ndjson: cannot be written" in owed
    said = house.says("run", "--state", "old", "--now", "2026-11-27T12:00:00Z", alerts)
    assert (said.code, "1 given up on; see alert-router dead-letters list --state " in said.out) == (1, True)
    assert house.says("run", "--state", "old", "--now", "2026-11-27T12:00:01Z", alerts).code == 0
    (house.directory / "people.ndjson").rmdir()
    assert house.says("run", "--state", "sent", "--now", "2026-11-24T12:01:00Z", alerts).code == 0
    assert column(house.lines("people.ndjson"), "id") == ["one"]
    policy = house.directory / "rules" / "cwpp" / "policy.yaml"
    policy.write_text(policy.read_text().replace("people", "persons"))
    assert house.says("run", "--state", "dropped", "--now", NOW, alerts).code == 1
    assert "no_destination" in house.says("dead-letters", "list", "--state", "dropped").out


def test_a_time_without_a_zone_is_utc(house: House) -> None:
    """--now is read as people write it."""
    house.writes("rules/cwpp/suppressions/known.json", a_suppression("VM_Example", "2026-11-25T00:00:00Z"))
    house.writes("a.ndjson", ndjson(an_alert("one")))
    for outcome, times in (
        ("suppressed", ("2026-11-24T23:59:59.999999", "2026-11-25T01:00:00+02:00")),
        ("routed", ("2026-11-25T00:00:00", "2026-11-25", "2026-11-25 00:00Z")),
    ):
        for written in times:
            assert column(house.routes("--dry-run", "--now", written, "a.ndjson"), "outcome") == [outcome], written


def test_a_second_run_on_the_same_state_waits_its_turn(
    house: House, alerts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one run works on a state, another is refused; and a certificate file that is not there is named."""
    store = open_store(house.directory / ".state")
    store.hold()
    try:
        for command in (("run", alerts), ("dead-letters", "redrive", "--all")):
            assert house.says(*command).complaint.startswith(".state: another run is at work")
    finally:
        asyncio.run(store.close())
    assert house.says("run", alerts).code == 0
    monkeypatch.setenv("ALERT_ROUTER_CA_FILE", "nowhere.pem")
    assert house.says("run", alerts).complaint.startswith("nowhere.pem: ALERT_ROUTER_CA_FILE")


def test_a_bad_policy_is_told_whole(house: House, alerts: str, transcript: Transcript) -> None:
    """Every problem of every policy is a line, with file and line."""
    for stream in ("cwpp", "cspm"):
        policy = house.directory / "rules" / stream / "policy.yaml"
        text = policy.read_text().replace("Medium", "Middling").replace("otherwise: [", "otherwise: [nowhere, ")
        policy.write_text(text)
    assert transcript(f"run {alerts}").code == 2


BY_ID = ("dead-letters redrive", "dead-letters discard", "quarantine retake", "quarantine discard")
WRONG = (
    *(
        "",
        "fly",
        "explian check",
        "rule check",
        "route a.ndjson",
        "run",
        "run --stream both a.ndjson",
        "run --dry a.ndjson",
    ),
    *(f"run --now {now} a.ndjson" for now in ("yesterday", "0001-01-01", "9999-12-31T23:59:59-10:00")),
    *(f"run --rules {rules} a.ndjson" for rules in ("nowhere", ".", ". --stream cwpp", "rules/cwpp/policy.yaml")),
    *(
        f"run {given}"
        for given in ("--state a.ndjson a.ndjson", "--state a.ndjson/x a.ndjson", "--decisions - a.ndjson")
    ),
    *("demo --decisions -", "run --decisions a.ndjson a.ndjson", "run missing.ndjson"),
    *("explain", "explain missing.json", "explain --format xml a.ndjson"),
    *(
        f"rules {given}"
        for given in ("", "chek", "check --rules 'my own'", "test --rules=mine --format json", "check a b")
    ),
    *(f"rules check {rules}" for rules in ("nowhere", "rules/cwpp", "rules/cwpp/gone.yaml", "a.ndjson")),
    *("rules test nowhere", "rules schema poetry", "rules schema --out a.ndjson/schemas", "quarantine show"),
    *(f"{command}{given}" for command in BY_ID for given in ("", " --all abc", " abc")),
    *(f"{command} {what}" for command in ("dead-letters", "quarantine") for what in ("list", "show abc")),
)


def test_an_error_is_one_line_that_names_the_thing_at_fault(house: House, transcript: Transcript) -> None:
    """Never a traceback for somebody's mistake: one line on stderr, exit 2, and nothing is left behind.

    A word that is nearly a command or an option is said to be meant; of what is far from all nothing is guessed.
    """
    house.writes("a.ndjson", ndjson(an_alert("one")))
    before = {path: path.read_bytes() for path in house.directory.rglob("*") if path.is_file()}
    for command in WRONG:
        assert transcript(command).complaint
    assert {path: path.read_bytes() for path in house.directory.rglob("*") if path.is_file()} == before
    assert transcript("run --decisions nowhere/d.ndjson a.ndjson").complaint


def test_the_program_is_a_program(house: House, alerts: str) -> None:
    """`python -m router` does what `alert-router` does: streams, exit codes, no traceback, no colour in a pipe."""
    done = a_process("run", alerts, within=house.directory)
    assert (done.code, done.err) == (0, "")
    assert "received          3" in done.out
    assert "\x1b" not in done.out
    failed = a_process("run", "missing.ndjson", within=house.directory)
    assert failed.complaint == "missing.ndjson: cannot be read: No such file or directory"


def _page(house: House) -> None:
    policy = house.directory / "rules" / "cwpp" / "policy.yaml"
    pager = "{kind: pagerduty, url: 'http://127.0.0.1:9', routing_key: {secret: PAGER_KEY}}"
    text = policy.read_text().replace("routes:", f"  pager: {pager}\nroutes:")
    policy.write_text(text.replace("to: [people]", "to: [pager]"))


def test_a_run_of_one_stream_forgets_no_hits_of_the_rules_of_the_other(house: House) -> None:
    """It has not read those, so it cannot say that they are there no more."""
    house.writes("rules/cwpp/suppressions/known.json", a_suppression("VM_Example", "2026-12-31T00:00:00Z"))
    house.routes("--now", NOW, house.writes("a.ndjson", ndjson(an_alert("one"))))
    posture = house.writes("b.ndjson", ndjson(an_assessment()))
    # A clock that leapt is believed by the next run.
    for hour in (12, 14):
        house.routes("--now", f"2028-03-24T{hour}:00:00Z", "--stream", "cspm", posture)
    said = json.loads(house.says("state", "--format", "json").out)
    assert (said["decisions"]["by_outcome"]["suppressed"], said["rules_with_hits"]) == (0, 1)


PROGRAM = f"alert-router {version('alert-router')}"


def test_the_version_is_one_line_and_waits_for_nothing(tmp_path: Path) -> None:
    """It is that of the package that is installed. Neither it nor `--help` imports what only commands need."""
    said = a_process("--version", within=tmp_path)
    assert (said.code, said.out, said.err) == (0, f"{PROGRAM}\n", "")
    code = (
        "import sys; from router.cli import main; main(['--version'])\n"
        "try: main(['--help'])\nexcept SystemExit: print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    slow = {
        "asyncio",
        "dataclasses",
        "importlib.metadata",
        "pydantic",
        "rich",
        "router.domain.resources",
        "router.rulebook",
    }
    assert "run" in done.stdout and not slow & set(done.stdout.split())

"""`rules list` and `rules preview`: every rule, silence and shadow rule with its life, and what a rule would have held."""

import asyncio
import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest

from router.app.lookback import look_back
from router.coverage.commands.tags import keep_tags
from router.coverage.documents import parsed_document
from router.domain.counts import decided_at
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.severity import Severity
from router.domain.suppression import Element, Field, Operator
from router.store.documents import document_of_silence, put_document
from router.store.rules import note_rules
from router.store.store import Store
from tests.builders import RESOURCE, alert_body, finding_body
from tests.cli.house import House, Transcript, a_suppression, over_both, take
from tests.silences import a_silence
from tests.store.within import within

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HOST = Element(Field("host", "hostname"), Operator.IN, frozenset({"db-01"}))
AT = ("--now", f"{NOW:%Y-%m-%dT%H:%M:%SZ}")
LIST = f"rules list {' '.join(AT)}"


def ends(after: timedelta) -> str:
    """An end that long after the present, as rules write it."""
    return f"{NOW + after:%Y-%m-%dT%H:%M:%SZ}"


SILENCE = a_silence(begins=NOW - DAY, lasts=2 * DAY, groups=((HOST,),), author="ann@example.com")


def listed(house: House, *arguments: str) -> list[dict[str, Any]]:
    """The objects that the command prints as JSON."""
    said = house.says("rules", "list", "--format", "json", *AT, *arguments)
    assert said.code == 0, said
    found: list[dict[str, Any]] = json.loads(said.out)
    return found


def names(house: House, *arguments: str) -> list[str]:
    """The names in the order in which the command lists them."""
    return [one["name"] for one in listed(house, *arguments)]


def furnish_rules(house: House) -> None:
    """A rule for web-01, one for nobody, and a shadow rule for web-02."""
    held = a_suppression("VM_Example", ends(20 * DAY))
    house.writes("rules/cwpp/suppressions/web.json", held)
    house.writes("rules/cwpp/suppressions/never.json", a_suppression("VM_Example", ends(40 * DAY), host="no-such"))
    house.writes("rules/cwpp/suppressions/shadow/try.json", a_suppression("VM_Example", ends(30 * DAY), host="web-02"))


def an_alert(id: str, host: str, **more: object) -> bytes:
    """An alert about a host."""
    return alert_body(id, AlertType="VM_Example", Entities=[{"$id": "1", "Type": "host", "HostName": host}], **more)


async def some_life(store: Store) -> None:
    """Five days of it: web-01 is held thrice, one of which is over; a silence holds db-01, one is damaged; web-02 is told."""
    await within(store, put_document, document_of_silence(SILENCE))
    await within(store, put_document, StoredDocument(kind=DocumentKind.SILENCE, id="ff", at=NOW + DAY, body=b"{}"))
    await take(store, NOW - 5 * DAY, an_alert("a", "web-01"), an_alert("b", "web-01"))
    await take(store, NOW - 2 * DAY, an_alert("c", "web-01"), an_alert("t", "web-02"))
    await take(store, NOW - DAY, an_alert("d", "db-01"), an_alert("a", "web-01", Status="Resolved"))


@over_both
def test_each_rule_silence_and_shadow_rule_is_listed_with_its_life(house: House, transcript: Transcript) -> None:
    """All keys, always; hits of its whole life, what it holds and still stands, and since when it holds nothing.

    The same in both stores, and beside a run. One is listed by its name, a silence also by its id, a shadow rule by its name
    on record. What is gone or refused is listed with what it held and still holds, until a run decides that anew.
    """
    furnish_rules(house)
    house.in_state(some_life)

    async def beside_a_run(store: Store) -> None:
        store.hold()
        await asyncio.to_thread(transcript, LIST, f"{LIST} --format json")

    house.in_state(beside_a_run)
    for name, found in (("web", "web"), ("try", "try"), ("shadow:try", "try"), ("ab12cd", "silence:ab12cd")):
        assert names(house, "--name", name) == [found]
    transcript(f"{LIST} --name nevr", f"{LIST} --name never --expiring 30d")
    for file in ("web.json", "shadow/try.json"):
        (house.directory / "rules/cwpp/suppressions" / file).unlink()
    house.writes("rules/cwpp/suppressions/bad.json", a_suppression("VM_Example", ""))
    transcript(LIST, f"{LIST} --format json")


def test_of_each_it_is_said_who_is_told_when_it_ends(house: House) -> None:
    """The policy's destinations, and the owner by mail where one of them sends mail; of a shadow rule nobody."""
    furnish_rules(house)
    desk = "{kind: servicenow, url: https://soc.example, auth: {user: a, password: {secret: B}}, table: incident}"
    mail = "{kind: email, host: smtp.soc.example, from: router@soc.example, to: [soc@soc.example]}"
    for notify, told in (("desk", ["desk"]), ("soc-mail", ["soc-mail", "secops@example.com"])):
        house.writes(
            "rules/cwpp/policy.yaml",
            f"stream: cwpp\nfloor: {{default: Medium}}\nnotify: [{notify}]\nroutes: []\notherwise: [desk]\n"
            f"destinations:\n  desk: {desk}\n  soc-mail: {mail}\n",
        )
        assert {one["name"]: one["notified"] for one in listed(house)} == {"web": told, "never": told, "try": []}
        assert f"    told of its end: {', '.join(told)}" in house.says(*LIST.split()).out.splitlines()
    house.writes("rules/cwpp/policy.yaml", "stream: cwpp\nnonsense: 1\n")
    assert {one["notified"] is None for one in listed(house) if one["kind"] == "rule"} == {True}


def test_without_a_state_the_rules_are_listed_and_it_is_said_that_their_hits_are_not_known(
    house: House, transcript: Transcript
) -> None:
    """Neither 0 nor never, which nobody knows; what was unused is not answered, nor is a state that is not there.

    What ends within a time is listed up to its last instant; what has ended is listed among all, behind those that hold.
    """
    furnish_rules(house)
    transcript(LIST, "rules list --unused 30d", "rules list --state elsewhere")
    keys = ("hits", "last_hit", "holding", "holds_nothing_since")
    assert all(one[key] is None for one in listed(house) for key in keys)
    house.writes("rules/cwpp/suppressions/over.json", a_suppression("VM_Example", ends(timedelta(0))))
    for time, ending in (("19d23h59m", []), ("20d", ["web"]), ("30d", ["web", "try"])):
        assert names(house, "--expiring", time) == ending
    assert names(house) == ["web", "try", "never", "over"]
    assert "    cwpp over, ended: VM_Example" in house.says(*LIST.split()).out


@over_both
def test_what_held_nothing_for_a_time_is_listed(house: House) -> None:
    """Since its last hit, or where it has none since it was first seen; not what holds something, is not enabled, or over."""
    furnish_rules(house)
    for name, state, end in (("off", "Disabled", DAY), ("over", "Enabled", -DAY)):
        body = orjson.loads(a_suppression("VM_Example", ends(end), host="idle"))
        body["properties"]["state"] = state
        house.writes(f"rules/cwpp/suppressions/{name}.json", orjson.dumps(body))
    house.in_state(some_life)
    house.in_state(lambda store: within(store, note_rules, "cwpp", ["never"], NOW - 3 * DAY))
    assert {one["name"]: one["holds_nothing_since"] for one in listed(house)}["never"] == ends(-3 * DAY)
    for unused, found in (("2d", ["try", "never"]), ("2d1m", ["never"]), ("3d", ["never"]), ("3d1m", [])):
        assert names(house, "--unused", unused) == found
    assert "(not enabled, so it holds nothing)" in house.says("rules", "list", *AT).out


def test_a_shadow_rule_that_goes_live_begins_with_no_hits(house: House) -> None:
    """What it would have held is not what it held; a name in both directories is refused, since it may mean either."""
    furnish_rules(house)
    house.writes("alerts.ndjson", an_alert("t", "web-02") + b"\n")
    house.routes("alerts.ndjson", *AT)
    directory = house.directory / "rules/cwpp/suppressions"
    shutil.copy(directory / "shadow/try.json", directory / "try.json")
    said = house.says("rules", "check", *AT)
    assert said.code == 1
    assert "'try' names another rule too, at cwpp/suppressions/shadow/try.json:1, so both are left out" in said.out
    (directory / "shadow/try.json").unlink()
    found = {(one["name"], one["kind"]): (one["hits"], one["file"]) for one in listed(house)}
    assert found["try", "rule"] == (0, "rules/cwpp/suppressions/try.json")
    assert found["try", "shadow"] == (1, None)


def test_nothing_that_a_file_says_acts_on_a_terminal(house: House) -> None:
    """A name, an owner and a scope are words of whoever opened a pull request; of many values people read few."""
    body = orjson.loads(a_suppression("VM_Example", ends(DAY), host="web\u202e\x1b[2J"))
    house.writes("rules/cwpp/suppressions/list.json", orjson.dumps({"value": [{**body, "name": "a\x1b[31m\nb"}]}))
    for form in ("text", "json"):
        said = house.says("rules", "list", "--format", form, *AT)
        assert not {"\x1b", "\u202e"} & set(said.out + said.err)
    assert (names(house), names(house, "--stream", "cspm")) == (["a\x1b[31m\nb"], [])
    hosts = [f"web-{number:02}" for number in range(20)]
    body["properties"]["suppressionAlertsScope"]["allOf"][0]["in"] = hosts
    house.writes("rules/cwpp/suppressions/list.json", orjson.dumps(body))
    words = "where entities.host.hostname is web-00 or web-01 or web-02 or web-03 or web-04 or 15 more\n"
    assert words in house.says("rules", "list", *AT).out
    assert listed(house)[0]["scope"] == f"entities.host.hostname is {' or '.join(hosts)}"


@over_both
def test_a_rule_whose_name_no_database_holds_is_held_to_the_name_that_one_does(house: House) -> None:
    """Else what it holds would be quarantined, and its hits not found. So with a file's name that is no UTF-8, or is long."""
    long = "".join(sha256(bytes([n])).hexdigest() for n in range(100))
    bodies = {
        name: orjson.loads(a_suppression("VM_Example", ends(DAY), host=host))
        for name, host in (("a\0\ud800", "web-01"), (long, "web-03"))
    }
    text = json.dumps({"value": [{**body, "name": name} for name, body in bodies.items()]})
    house.writes("rules/cwpp/suppressions/list.json", text)
    directory = os.fsencode(house.directory / "rules/cwpp/suppressions")
    Path(os.fsdecode(directory + b"/caf\xe9.json")).write_bytes(a_suppression("VM_Example", ends(DAY), host="web-02"))
    house.in_state(lambda store: take(store, NOW, *(an_alert(f"web-0{n}", f"web-0{n}") for n in (1, 2, 3))))
    found = listed(house)
    hits = {one["name"][:5]: (len(one["name"]), one["hits"], one["holding"]) for one in found}
    assert hits == {"a\ufffd?": (3, 1, 1), "caf?": (4, 1, 1), long[:5]: (512, 1, 1)}


LATER = "2026-11-25T00:00:00Z"
RULE, BAD = "rules/cwpp/suppressions/web.json", "rules/cwpp/suppressions/bad.json"
HOSTILE = "<b>@root</b> | `x` \\| [a](https://evil.example) \x1b[31m\u202e sig=" + "A" * 43 + "%3D"
"""Text that is markup, calls somebody, ends a cell and paints a terminal."""


def on_host(id: str, host: str = "web-01", **fields: object) -> bytes:
    """An alert about a host."""
    entities = [{"Type": "host", "HostName": host}]
    return alert_body(id, **{"AlertType": "VM_Example", "Entities": entities} | fields) + b"\n"


PREVIEW = f"rules preview --now {LATER}"


@pytest.fixture
def routed(house: House) -> House:
    """A house in whose state are alerts: two of a host, one of them held by a rule of long ago, and one of another host."""
    house.writes(RULE, a_suppression("VM_Example", "2026-12-20T00:00:00Z"))
    house.writes("rules/cwpp/suppressions/old.json", a_suppression("VM_Example", "2026-12-20T00:00:00Z", "db-01"))
    (house.directory / RULE).unlink()
    alerts = [
        on_host("1", Severity="High", Intent="Persistence, Execution"),
        on_host("2", Severity="Medium", AlertDisplayName=HOSTILE),
        on_host("3", "db-01"),
        on_host("4", "other"),
    ]
    house.writes("alerts.ndjson", b"".join(alerts))
    assert house.says("run", "--now", "2026-11-24T00:00:00Z", "alerts.ndjson").code == 0
    house.writes(RULE, a_suppression("VM_Example", "2026-12-20T00:00:00Z"))
    return house


def previewed(house: House, *arguments: str, file: str = RULE) -> Any:
    """The preview of the one rule of a file, as JSON."""
    said = house.says("rules", "preview", "--now", LATER, "--format", "json", *arguments, file)
    assert (said.code, said.err) == (0, "")
    (one,) = json.loads(said.out)
    return one


@over_both
def test_a_preview_says_what_a_rule_would_have_held(routed: House) -> None:
    """By day, severity, tactic and type, which notices nobody would have had, and what stands now."""
    one = previewed(routed)
    assert (one["looked_at"], one["not_judged"], one["signals"], one["decisions"]) == (4, 0, 2, 2)
    assert one["fewer_notices"] == {name: {"opened": 2, "notices": 2} for name in ("everything", "people")}
    assert [row["id"] for row in one["examples"]] == ["1", "2"]
    assert one["standing"]["by_severity"] == [{"severity": "High", "signals": 1}, {"severity": "Medium", "signals": 1}]


def test_a_preview_says_what_others_held_anyway_and_looks_back_as_far_as_it_is_told(routed: House) -> None:
    """What two rules hold is not fewer twice; a span ends at the instant that is given, and what stands is another matter."""
    file = routed.writes("wide.json", a_suppression("VM_Example", "2026-12-20T00:00:00Z", "db-01"))
    wide = previewed(routed, "--stream", "cwpp", file=file)
    assert (wide["decisions"], wide["held_already"], wide["fewer_notices"]) == (1, {"old": 1}, {})
    assert wide["standing"]["held_already"] == {"old": 1}
    assert previewed(routed, "--since", "24h")["decisions"] == 2
    later = previewed(routed, "--since", "23h59m")
    assert (later["decisions"], later["standing"]["signals"]) == (0, 2)


def test_a_rule_that_has_ended_is_said_to_have_ended_and_holds_nothing(routed: House, transcript: Transcript) -> None:
    """From the instant of its end on; what it held comes out. Until then it is previewed as ever. Each of a list is judged."""
    held = routed.writes("rules/cwpp/suppressions/old.json", a_suppression("VM_Example", LATER, "db-01"))
    one = previewed(routed, "--fail-on", "Low", file=held)
    assert (one["ended"], one["signals"], one["standing"]["signals"]) == (LATER, 0, 0)
    assert (one["let_through"]["signals"], one["standing"]["let_through"]) == (1, 1)
    transcript(f"{PREVIEW} {held}", f"rules preview --now 2026-11-24T23:59:59Z {held}")
    body = json.loads(a_suppression("VM_Example", "2026-12-20T00:00:00Z"))
    other = json.loads(a_suppression("VM_Example", "2026-12-20T00:00:00Z", "other"))
    file = routed.writes("list.yaml", json.dumps({"value": [{"name": "a", **body}, {"name": "b", **other}]}))
    said = routed.says("rules", "preview", "--stream", "cwpp", "--now", LATER, "--format", "json", file)
    assert [(one["name"], one["signals"]) for one in json.loads(said.out)] == [("a", 2), ("b", 1)]


def test_a_preview_is_read_on_a_terminal(routed: House, transcript: Transcript) -> None:
    """No text of an alert acts on it, and a credential is masked; it fails where the rule would have held what is as grave."""
    said = transcript(f"{PREVIEW} --format json {RULE}", f"{PREVIEW} {RULE}")
    assert not [one for one in ("\x1b", "\u202e", "A" * 43) if one in said.out]
    for severity in Severity:
        failing = routed.says(*PREVIEW.split(), "--fail-on", severity.label.lower(), RULE)
        assert (failing.code, failing.out) == (int(severity <= Severity.HIGH), said.out)


def test_a_preview_of_a_large_state_says_how_far_it_looked(routed: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """And how to look further back, by a whole second, before which nothing is left out."""
    monkeypatch.setattr("router.cli.preview.look_back", partial(look_back, most=1))
    monkeypatch.setattr("router.app.lookback.decided_at", lambda entry: decided_at(entry) - timedelta(milliseconds=300))
    lines = routed.says(*PREVIEW.split(), RULE).out
    assert "1 decision: back to 2026-11-24T00:00:00Z; --now 2026-11-24T00:00:00Z looks at what is older" in lines
    assert "3 signals; it stopped there" in lines
    (found,) = json.loads(routed.says(*PREVIEW.split(), "--format", "json", RULE).out)
    assert (found["looked_at"], found["looked_back_to"]) == (1, "2026-11-24T00:00:00Z")
    assert found["is_whole"] is found["standing"]["is_whole"] is False


def test_a_file_that_holds_no_rule_is_one_complaint(routed: House, transcript: Transcript) -> None:
    """It says what to mend, and nothing is printed; each problem of a rule is a line, and what is only warned about is none."""
    for name, content in (
        *((BAD, content) for content in ("{", "{}", '{"value": []}')),
        ("rules/cwpp/bad.txt", "{}"),
        ("bad.json", "{}"),
        (RULE, a_suppression("VM_*", "2099-12-20", "")),
    ):
        said = transcript(f"{PREVIEW} {routed.writes(name, content)}")
        assert (said.code, said.out) == (2, "")
    transcript(f"{PREVIEW} scanner", PREVIEW, f"{PREVIEW} --state nowhere {RULE}")
    assert not (routed.directory / "nowhere").exists()


BY_OWNER = "rules/cspm/suppressions/payments.json"
OF_A_TAG = 'owners: [{tag: {team: "*"}, group: "{tag.team}"}]\n'


def test_a_rule_that_names_an_owner_is_asked_with_the_owners_of_the_rules_and_the_tags_of_the_state(
    house: House,
) -> None:
    """Without a directory of rules that is said, and nobody owns anything; where it is broken that is said, too.

    `explain` of a message, where the state is named, knows its tags, too, where owners.yaml says `live`.
    """
    house.writes("rules/owners.yaml", f"tags: live\n{OF_A_TAG}")
    house.writes("finding.ndjson", finding_body())
    assert house.says("run", "--now", "2026-11-24T12:00:00Z", "finding.ndjson").code == 0
    document = parsed_document({"id": RESOURCE, "tags": {"Team": "payments"}}, "answer")
    house.in_state(lambda store: keep_tags(store, [document], NOW - DAY / 24))
    explain = ("explain", "--format", "json", "--now", "2026-11-24T12:00:00Z", "finding.ndjson")
    owners = [json.loads(house.says(*explain, *state).out)[0]["owner"] for state in ((), ("--state", ".state"))]
    assert owners == [None, "payments"]

    rule = json.loads(a_suppression("assessment-1", "2026-12-20T00:00:00Z"))
    rule["properties"]["suppressionAlertsScope"] = {"allOf": [{"field": "owner", "in": ["payments"]}]}
    house.writes(BY_OWNER, json.dumps(rule))
    found = []
    for owned in (f"tags: live\n{OF_A_TAG}", OF_A_TAG, "owners: [{subscription: '*', group: payments}]"):
        house.writes("rules/owners.yaml", owned)
        found.append(previewed(house, file=BY_OWNER)["signals"])
    assert found == [1, 0, 1]
    (house.directory / "web.json").write_bytes((house.directory / BY_OWNER).read_bytes())
    preview = ("rules", "preview", "--stream", "cspm", "--now", LATER, "web.json")
    said = house.says(*preview, "--rules", "none")
    assert said.err == "none: warning: is no directory of rules, so nothing is known of owners and destinations\n"
    assert said.out.splitlines()[1].split() == ["would", "have", "held", "nothing"]
    house.writes("rules/owners.yaml", "owners: [")
    assert house.says(*preview).err == (
        "rules: warning: has problems that alert-router rules check names, so what is known of owners and destinations may be "
        "wrong\n"
    )

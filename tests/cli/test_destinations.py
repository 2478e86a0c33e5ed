"""`destinations`, and `run` with those that are not there yet: how each is, who keeps it from being asked, and what is owed."""

import json
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import alert_router_demo as demo
from router.app.rules import load_rules, secret_names_of
from router.deliver.destination_holds import FRESH
from router.domain.deliveries import LONGEST_LIFE, Pause
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from router.store.changes import list_changes
from router.store.codec import micros
from router.store.destinations import pause_destination
from router.store.store import Store
from tests.builders import RULES
from tests.cli.house import House, Transcript, ndjson, over_both, take
from tests.network import nobody_else
from tests.parse.messages import a_flat_alert, body_of
from tests.store.within import within

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
HOLD = "destinations hold --author ana --reason moved --for 2h"
RELEASE = "destinations release people --author ben"


def at(now: datetime) -> str:
    """The option that says when a command is given."""
    return f"--now {now:%Y-%m-%dT%H:%M:%SZ}"


def owing(*ids: str) -> Callable[[Store], Awaitable[None]]:
    """Alerts that are owed to `people` and to `everything`."""
    return lambda store: take(store, NOW, *(body_of(a_flat_alert(SystemAlertId=id)) for id in ids))


def listed(house: House, now: datetime, *more: str) -> dict[str, Any]:
    """How each destination is, by its name."""
    said = house.says("destinations", "list", "--format", "json", *at(now).split(), *more)
    assert said.code == 0, said
    return {one["name"]: one for one in json.loads(said.out)}


def test_each_destination_is_listed_with_how_it_is(house: House, transcript: Transcript) -> None:
    """Those of the rules, those that only the state knows, and what each is owed; in text one line for each."""
    house.in_state(owing("one", "two"))
    transcript(f"destinations list {at(NOW)}", f"destinations list --format json {at(NOW)}")
    assert set(listed(house, NOW, "--stream", "cspm")) == {"backlog"}


@over_both
def test_a_destination_is_held_until_its_end_and_released_before(house: House, transcript: Transcript) -> None:
    """Its author, its reason and its end are seen in the list, and every change of it is on record."""
    house.in_state(owing("one"))
    transcript(f"{HOLD} people {at(NOW)}")
    times = {"since": "2026-11-20T12:00:00Z", "until": "2026-11-20T14:00:00Z"}
    expected = {"author": "ana", "reason": "moved", **times}
    found = listed(house, NOW)
    assert (found["people"]["held"], found["people"]["next_due"]) == (expected, expected["until"])
    assert listed(house, NOW + 2 * HOUR)["people"]["held"] is None
    words = "cwpp people: held by ana since 2026-11-20T12:00:00Z until 2026-11-20T14:00:00Z: moved"
    for command, more in (("state", []), ("destinations", ["list"])):
        for now, is_held in ((NOW, True), (NOW + 2 * HOUR, False)):
            assert (words in house.says(command, *more, *at(now).split()).out) is is_held
    report = json.loads(house.says("state", "--format", "json", *at(NOW).split()).out)
    assert report["destination_holds"] == [{"stream": "cwpp", "name": "people", **expected}]
    release = f"{RELEASE} {at(NOW + 1.5 * HOUR)}"
    transcript(f"{HOLD} people --for 90m {at(NOW + HOUR)}", release, release)
    assert listed(house, NOW + 1.5 * HOUR)["people"]["held"] is None
    changes = house.in_state(lambda store: within(store, list_changes, None, 10))
    assert [(one.action, one.author, one.reason) for one in changes] == [
        ("released", "ben", "released"),
        ("held", "ana", "moved"),
        ("held", "ana", "moved"),
    ]


@over_both
def test_a_hold_that_cannot_be_is_refused_in_one_line(house: House, transcript: Transcript) -> None:
    """Which names what is at fault; nothing is held, and nothing on record."""
    house.in_state(owing("one"))
    more = ("peopel", "people --for 49h", "people --for soon", "", "people --reason ' '", "people --author ''")
    for one in (*more, "people --stream cspm"):
        assert transcript(f"{HOLD} {at(NOW)} {one}").complaint
    transcript(f"{HOLD.removesuffix(' --for 2h')} {at(NOW)} people")
    assert all(one["held"] is None for one in listed(house, NOW).values())


def test_a_name_that_both_streams_have_needs_the_stream(house: House, transcript: Transcript) -> None:
    """One of the two is held, and the other is not."""
    policy = house.directory / "rules" / "cspm" / "policy.yaml"
    policy.write_text(policy.read_text().replace("backlog:", "people:").replace("[backlog]", "[people]"))
    house.in_state(owing("one"))
    hold = f"{HOLD} people {at(NOW)}"
    assert [transcript(hold).code, transcript(f"{hold} --stream cspm").code] == [2, 0]
    transcript(f"destinations list {at(NOW)}")


def test_a_destination_can_be_held_where_rules_cannot_be_used_or_are_not_there(
    house: House, transcript: Transcript
) -> None:
    """What the state was told of has a name and a lane; that is said, and rules that are named must be good."""
    house.in_state(owing("one"))
    (house.directory / "rules" / "cwpp" / "policy.yaml").write_text("stream: cwpp\nfloor: [")
    hold = f"{HOLD} people {at(NOW)}"
    assert [transcript(hold).code, transcript(f"{hold} --rules rules").code] == [0, 2]
    (house.directory / "rules").rename(house.directory / "elsewhere")
    transcript(f"{RELEASE} {at(NOW)}", f"destinations list {at(NOW)}")


@over_both
def test_what_is_held_is_listed_and_released_though_no_rules_name_it_and_nothing_was_ever_owed_there(
    house: House, transcript: Transcript
) -> None:
    """Whoever ends a hold may have no rules at hand, or newer ones: what holds a destination can always be seen and ended."""
    house.in_state(owing("one"))
    transcript(f"{HOLD} backlog {at(NOW)}")
    Path("rules").rename("elsewhere")
    now = at(NOW + HOUR)
    transcript(f"destinations list --format json {now}", f"destinations list --stream cwpp {now}")
    release = f"destinations release backlog --author ben {now}"
    transcript(f"{HOLD} backlog {now}", release, f"destinations list {now}", release)


def test_a_run_sends_nothing_to_what_is_held_and_says_who_holds_it(house: House, transcript: Transcript) -> None:
    """And the run after its release sends it, with nothing lost; whoever is not held is sent theirs."""
    house.routes(*at(NOW).split(), house.writes("a.ndjson", ndjson(a_flat_alert(SystemAlertId="before"))))
    house.says(*HOLD.split(), "people", *at(NOW).split())
    run = f"run {at(NOW + HOUR)} {house.writes('b.ndjson', ndjson(a_flat_alert(SystemAlertId='meanwhile')))}"
    assert transcript(run).code == 0
    assert [one["id"] for one in house.lines("people.ndjson")] == ["before"]
    assert [one["id"] for one in house.lines("everything.ndjson")] == ["before", "meanwhile"]
    assert transcript(f"{RELEASE} {at(NOW + HOUR)}", run).code == 0
    assert [one["id"] for one in house.lines("people.ndjson")] == ["before", "meanwhile"]


@over_both
def test_a_paused_destination_that_is_released_is_asked_at_once_with_one_delivery(
    house: House, transcript: Transcript
) -> None:
    """What is owed there waits for a probe of minutes later. On a server both are due once every worker knows."""
    pause = Pause(stream="cwpp", destination="people", since=NOW, probe=NOW + HOUR / 12, error="answered 401")

    async def paused(store: Store) -> None:
        await owing("one")(store)
        await store.run(lambda tx: tx.execute("UPDATE deliveries SET due=?", micros(pause.probe)))
        await within(store, pause_destination, pause)

    house.in_state(paused)
    transcript(f"{RELEASE} {at(NOW)}")
    known = listed(house, NOW)["people"]
    assert known["paused"]["probe"] == "2026-11-20T12:00:00Z"
    assert datetime.fromisoformat(known["next_due"]) <= NOW + FRESH
    transcript(f"{RELEASE} {at(NOW)} --format json")
    assert house.says("run", *at(NOW + FRESH).split(), house.writes("none.ndjson", "")).code == 0
    assert len(house.lines("people.ndjson")) == 1


DAY = "2026-11-24T{}Z"
REFERENCE = "@Microsoft.KeyVault(VaultName=v;SecretName=pager-key)"
SAMPLES = Path(demo.__file__).parent / "samples"


def test_what_ships_reaches_nobody(house: House, transcript: Transcript, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every secret set, rules unedited, the samples are routed by the client that is used everywhere; nothing leaves."""
    names = secret_names_of(load_rules(RULES, list(Stream), NOW).books.values())
    samples = [SAMPLES / f"{stream}.ndjson" for stream in Stream]
    for with_secrets in (False, True):
        for name in names:
            monkeypatch.setenv(name, f"canary-of-{name}" if with_secrets else "")
        with nobody_else() as strangers:
            said = house.says("run", "--rules", RULES, "--state", f"{with_secrets}", *samples)
        assert (said.code, strangers) == (0, [])
        transcript.notes("what is not there", "\n".join(sorted(said.err.splitlines())))
        assert "canary" not in said.out + said.err
        assert re.search(r"^  cwpp oncall: \d+ owed,", said.out, re.MULTILINE)


@pytest.fixture
def alert(house: House) -> str:
    """The file of an alert that pages, in a house whose pager is on loopback where nobody listens."""
    policy = house.directory / "rules" / "cwpp" / "policy.yaml"
    pager = "{kind: pagerduty, url: 'http://127.0.0.1:9', routing_key: {secret: PAGER_KEY}}"
    text = policy.read_text().replace("routes:", f"  pager: {pager}\nroutes:")
    policy.write_text(text.replace("to: [people]", "to: [pager]"))
    return house.writes("alert.ndjson", ndjson(a_flat_alert()))


def test_a_missing_secret_keeps_others_from_nothing_and_what_was_owed_is_tried_once_it_is_there(
    house: House, alert: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named once, what is due there is owed, and that is no failure; a reference to a vault is said apart.

    Then it is tried at once, as its first attempt: nothing was spent or put off meanwhile.
    """
    said = house.says("run", alert)
    assert (said.code, said.err) == (0, "cwpp pager: not yet: PAGER_KEY is missing\n")
    assert "cwpp pager: 1 owed, not tried: PAGER_KEY is missing" in said.out
    assert len(house.lines("everything.ndjson")) == 1
    monkeypatch.setenv("PAGER_KEY", REFERENCE)
    said = house.says("run", alert)
    assert (said.code, said.err) == (0, "cwpp pager: not yet: PAGER_KEY is still a reference to Key Vault\n")
    monkeypatch.setenv("PAGER_KEY", "a-secret")
    said = house.says("run", house.writes("none.ndjson", b""))
    assert said.err == ""
    assert "cwpp pager: 1 owed, next due" in said.out
    assert "no answer: " in said.out


def test_what_is_not_there_in_time_is_a_dead_letter_and_never_lost(house: House, alert: str) -> None:
    """To the second, as long as any delivery of the lane is owed; it can be redriven."""
    nothing, end = house.writes("none.ndjson", b""), NOW + LONGEST_LIFE[Lane.PAGE]
    for now, file, code in ((NOW, alert, 0), (end - timedelta(seconds=1), nothing, 0), (end, nothing, 1)):
        assert house.says("run", *at(now).split(), file).code == code
    (letter,) = json.loads(house.says("dead-letters", "list", "--format", "json").out)
    assert (letter["error"], letter["attempts"]) == ("never tried: PAGER_KEY is missing", 0)
    assert house.says("dead-letters", "redrive", "--all").code == 0
    assert house.says("run", *at(end).split(), nothing).code == 0


def test_what_makes_notices_say_less_is_a_problem_and_stops_nobody(
    house: House, alert: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages of an owner whose key is missing go by that of the destination, once it is there; and nothing links to a console of
    which it is not known where it is."""
    house.writes("rules/owners.yaml", "owners: [{group: web, pager: {secret: WEB_KEY}}]\n")
    monkeypatch.setenv("ALERT_ROUTER_CONSOLE_URL", "http://alerts.contoso.com")
    said = house.says("run", alert)
    assert said.code == 2
    assert said.err.splitlines() == [
        "owners.yaml: WEB_KEY is missing; its owner is paged by the key of the destination",
        "ALERT_ROUTER_CONSOLE_URL: must be an https URL; http is for loopback only; without it nothing that is sent links to "
        "the console",
        "cwpp pager: not yet: PAGER_KEY is missing",
    ]


LOGS = "{kind: log_analytics, endpoint: {setting: LOGS_ENDPOINT}, rule: {setting: LOGS_RULE}, table: Test_CL}"


def test_a_setting_that_rules_name_is_resolved_as_a_secret_is(
    house: House, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    """The rules are checked without it; a run says what is wrong with what it holds, and never asks."""
    policy = house.directory / "rules" / "cwpp" / "policy.yaml"
    policy.write_text(f"{policy.read_text()}record: {LOGS}\n")
    assert house.says("rules", "check").code == 0
    place = "holds what its place in the rules does not take"
    for number, (endpoint, rule, line) in enumerate(
        (
            (None, "dcr-1", "not yet: LOGS_ENDPOINT is missing"),
            (REFERENCE, "dcr-1", "not yet: LOGS_ENDPOINT is still a reference to Key Vault"),
            ("https://logs.Example", "dcr-1", "not yet: logs.example ends in .example, which is never asked"),
            ("http://logs.test", "dcr-1", f"cannot be asked: LOGS_ENDPOINT {place}"),
            ("https://a.test", "dcr 1", f"cannot be asked: LOGS_RULE {place}"),
            ("http://127.0.0.1:9", "dcr-1", None),
        )
    ):
        with subtests.test(line), nobody_else() as strangers, monkeypatch.context() as patch:
            patch.setenv("LOGS_RULE", rule)
            if endpoint is not None:
                patch.setenv("LOGS_ENDPOINT", endpoint)
            file = house.writes("alert.ndjson", ndjson(a_flat_alert(SystemAlertId=f"al-{number}")))
            said = house.says("run", "--state", f"state-{number}", file)
            assert strangers == []
            assert said.err == (f"cwpp record: {line}\n" if line is not None else "")
            assert said.code == (2 if line is not None and line.startswith("cannot") else 0)
            assert ("no answer: " in said.out) == (line is None)


def test_settings_that_lead_both_streams_to_one_place_are_a_problem(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where they are kept apart cannot be seen in the rules, so nobody writes there before it is mended."""
    for stream in Stream:
        policy = house.directory / "rules" / stream / "policy.yaml"
        record = LOGS.replace("LOGS_", f"{stream.upper()}_LOGS_")
        policy.write_text(f"{policy.read_text()}record: {record}\n")
        monkeypatch.setenv(f"{stream.upper()}_LOGS_ENDPOINT", "http://127.0.0.1:9")
        monkeypatch.setenv(f"{stream.upper()}_LOGS_RULE", "dcr-1")
    nothing = house.writes("none.ndjson", b"")
    said = house.says("run", nothing)
    assert said.code == 2
    assert said.err.splitlines() == [
        f"{stream} record: cannot be asked: {stream.upper()}_LOGS_ENDPOINT leads to where the other stream writes, "
        "and streams share no destination"
        for stream in Stream
    ]
    monkeypatch.setenv("CSPM_LOGS_RULE", "dcr-2")
    assert (house.says("run", nothing).code, house.says("run", nothing).err) == (0, "")

"""`run` with destinations that are not there yet: all else is done, what is due to them is owed, and nobody is asked."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import alert_router_demo as demo
from router.app.rules import load_rules, secret_names_of
from router.app.settings import now
from router.domain.deliveries import LONGEST_LIFE
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from tests.builders import RULES
from tests.cli.house import House, ndjson
from tests.cli.transcripts import Transcript
from tests.network import nobody_else
from tests.parse.messages import a_flat_alert

DAY = "2026-11-24T{}Z"
REFERENCE = "@Microsoft.KeyVault(VaultName=v;SecretName=pager-key)"
SAMPLES = Path(demo.__file__).parent / "samples"


@pytest.mark.parametrize("with_secrets", [True, False])
def test_what_ships_reaches_nobody(
    house: House, transcript: Transcript, monkeypatch: pytest.MonkeyPatch, with_secrets: bool
) -> None:
    """With every secret set, rules unedited, the samples are routed by the client that is used everywhere; nothing leaves."""
    for name in secret_names_of(load_rules(RULES, list(Stream), now()).books.values()):
        if with_secrets:
            monkeypatch.setenv(name, f"canary-of-{name}")
        else:
            monkeypatch.delenv(name, raising=False)
    samples = [SAMPLES / f"{stream}.ndjson" for stream in Stream]
    with nobody_else() as strangers:
        said = house.says("run", "--rules", RULES, *samples)
    assert strangers == []
    assert said.code == 0
    transcript.notes("what is not there", "\n".join(sorted(said.err.splitlines())))
    assert "canary" not in said.out + said.err
    owed = {line.split()[1]: line.split()[2:] for line in said.out.splitlines() if line.startswith("  cwpp ")}
    assert owed["oncall:"][1] == "owed,"


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
    began, nothing = datetime.fromisoformat("2026-11-24T12:00:00Z"), house.writes("none.ndjson", b"")
    end = began + LONGEST_LIFE[Lane.PAGE]
    for instant, file, code in ((began, alert, 0), (end - timedelta(seconds=1), nothing, 0), (end, nothing, 1)):
        assert house.says("run", "--now", instant.isoformat(), file).code == code
    (letter,) = json.loads(house.says("dead-letters", "list", "--format", "json").out)
    assert (letter["error"], letter["attempts"]) == ("never tried: PAGER_KEY is missing", 0)
    assert house.says("dead-letters", "redrive", "--all").code == 0
    assert house.says("run", "--now", end.isoformat(), nothing).code == 0


def test_an_owners_key_that_is_missing_is_a_problem_and_stops_nobody(house: House, alert: str) -> None:
    """Its pages go by the key of the destination, once that is there."""
    house.writes("rules/owners.yaml", "owners: [{group: web, pager: {secret: WEB_KEY}}]\n")
    said = house.says("run", alert)
    assert said.code == 2
    assert said.err.splitlines() == [
        "owners.yaml: WEB_KEY is missing; its owner is paged by the key of the destination",
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

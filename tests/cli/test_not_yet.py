"""`run` with destinations that are not there yet: all else is done, what is due to them is owed, and nobody is asked."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import alert_router_demo as demo
from router.app.rules import load_rules, secret_names_of
from router.app.settings import now
from router.domain.deliveries import LONGEST_LIFE, DeliveryState, Receipt, Settlement
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from router.store.claims import Recipient, settle_claims
from router.store.dead_letters import DeadLetter
from tests.builders import RULES
from tests.cli.house import House, Said, ndjson, over_both
from tests.network import nobody_else
from tests.parse.messages import a_flat_alert
from tests.store.acts import letters_in
from tests.store.opened import open_store
from tests.store.within import claim_in, within

pytestmark = over_both

DAY = "2026-11-24T{}Z"
REFERENCE = "@Microsoft.KeyVault(VaultName=v;SecretName=pager-key)"
SAMPLES = Path(demo.__file__).parent / "samples"

SHIPPED = [
    "cwpp oncall: not yet: {}events.pagerduty.example ends in .example, which is never asked",
    "cwpp soc-tickets: not yet: {}servicenow.example ends in .example, which is never asked",
    "cwpp sentinel: not yet: CWPP_LOGS_ENDPOINT is missing, CWPP_LOGS_RULE is missing",
    "cwpp record: not yet: CWPP_LOGS_ENDPOINT is missing, CWPP_LOGS_RULE is missing",
    "cspm backlog: not yet: {}servicenow.example ends in .example, which is never asked",
    "cspm soc-coverage: not yet: {}servicenow.example ends in .example, which is never asked",
    "cspm posture: not yet: CSPM_LOGS_ENDPOINT is missing, CSPM_LOGS_RULE is missing",
    "cspm record: not yet: CSPM_LOGS_ENDPOINT is missing, CSPM_LOGS_RULE is missing",
]
"""What is said of a fresh copy of the rules that ship; before the host stand the secrets that are missing."""

SECRETS = {
    "oncall": "PAGERDUTY_ROUTING_KEY",
    "soc-tickets": "SERVICENOW_PASSWORD",
    "backlog": "SERVICENOW_POSTURE_PASSWORD",
    "soc-coverage": "SERVICENOW_POSTURE_PASSWORD",
}


def shipped(*, with_secrets: bool) -> list[str]:
    """The same, with every secret set or with none."""
    missing = {name: "" if with_secrets else f"{secret} is missing, " for name, secret in SECRETS.items()}
    return [line.format(missing.get(line.split()[1].rstrip(":"), "")) for line in SHIPPED]


@pytest.mark.parametrize("with_secrets", [True, False])
def test_what_ships_reaches_nobody(house: House, monkeypatch: pytest.MonkeyPatch, with_secrets: bool) -> None:
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
    assert sorted(said.err.splitlines()) == sorted(shipped(with_secrets=with_secrets))
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


def test_a_missing_secret_keeps_nobody_else_from_theirs(house: House, alert: str) -> None:
    """The secret is named once, everybody else is told, what is due there is owed, and that is no failure."""
    said = house.says("run", alert)
    assert (said.code, said.err) == (0, "cwpp pager: not yet: PAGER_KEY is missing\n")
    assert "cwpp pager: 1 owed, not tried: PAGER_KEY is missing" in said.out
    assert len(house.lines("everything.ndjson")) == 1


def test_an_unresolved_reference_is_said_apart(house: House, alert: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret may be in the vault already, and the platform has not looked again."""
    monkeypatch.setenv("PAGER_KEY", REFERENCE)
    said = house.says("run", alert)
    assert (said.code, said.err) == (0, "cwpp pager: not yet: PAGER_KEY is still a reference to Key Vault\n")


def test_once_the_secret_is_there_what_was_owed_is_tried(
    house: House, alert: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As its first attempt, and at once: nothing was spent or put off meanwhile."""
    for _ in range(3):
        assert house.says("run", alert).code == 0
    monkeypatch.setenv("PAGER_KEY", "a-secret")
    said = house.says("run", house.writes("none.ndjson", b""))
    assert said.err == ""
    assert "cwpp pager: 1 owed, next due" in said.out
    assert "no answer: " in said.out


def at(house: House, instant: datetime, file: str) -> Said:
    """What a run at an instant comes to."""
    return house.says("run", "--now", instant.isoformat(), file)


def test_what_is_not_there_in_time_is_a_dead_letter_and_never_lost(house: House, alert: str) -> None:
    """To the second, as long as any delivery of the lane is owed; it can be redriven."""
    began, nothing = datetime.fromisoformat(DAY.format("12:00:00")), house.writes("none.ndjson", b"")
    end = began + LONGEST_LIFE[Lane.PAGE]
    assert at(house, began, alert).code == 0
    assert at(house, end - timedelta(seconds=1), nothing).code == 0
    assert at(house, end, nothing).code == 1
    (letter,) = letters(house)
    assert (letter.error, letter.attempts) == ("never tried: PAGER_KEY is missing", 0)
    assert house.says("dead-letters", "redrive", "--all").code == 0
    assert at(house, end, nothing).code == 0


def letters(house: House) -> list[DeadLetter]:
    """The dead letters."""

    async def listed() -> list[DeadLetter]:
        store = open_store(house.state)
        try:
            return await letters_in(store)
        finally:
            await store.close()

    return asyncio.run(listed())


def test_who_was_told_before_and_cannot_be_now_is_a_problem(
    house: House, alert: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run does all else, and its exit code says that something is wrong."""
    house.writes(
        "rules/cwpp/policy.yaml",
        (house.directory / "rules/cwpp/policy.yaml")
        .read_text()
        .replace("http://127.0.0.1:9", "https://nobody.example"),
    )
    monkeypatch.setenv("PAGER_KEY", "a-secret")
    assert house.says("run", alert).code == 0

    async def taken() -> None:
        store = open_store(house.state)
        (claim,) = await claim_in(store, Recipient("cwpp", Lane.PAGE, "pager"), now(), now(), 1)
        sent = Settlement(claim=claim, state=DeliveryState.SENT, at=now(), receipt=Receipt())
        await within(store, settle_claims, [sent])
        await store.close()

    asyncio.run(taken())
    monkeypatch.delenv("PAGER_KEY")
    said = house.says("run", house.writes("b.ndjson", ndjson(a_flat_alert(SystemAlertId="b"))))
    assert said.code == 2
    assert said.err == (
        "cwpp pager: cannot be asked: PAGER_KEY is missing, nobody.example ends in .example, which is never asked\n"
    )
    assert len(house.lines("everything.ndjson")) == 2


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


@pytest.mark.parametrize(
    ("endpoint", "rule", "line"),
    [
        (None, "dcr-1", "not yet: LOGS_ENDPOINT is missing"),
        (REFERENCE, "dcr-1", "not yet: LOGS_ENDPOINT is still a reference to Key Vault"),
        ("https://logs.Example", "dcr-1", "not yet: logs.example ends in .example, which is never asked"),
        ("http://logs.test", "dcr-1", "cannot be asked: LOGS_ENDPOINT holds what its place in the rules does not take"),
        ("https://a.test", "dcr 1", "cannot be asked: LOGS_RULE holds what its place in the rules does not take"),
        ("http://127.0.0.1:9", "dcr-1", None),
    ],
)
def test_a_setting_that_rules_name_is_resolved_as_a_secret_is(
    house: House, monkeypatch: pytest.MonkeyPatch, endpoint: str | None, rule: str, line: str | None
) -> None:
    """The rules are checked without it; a run says what is wrong with what it holds, and never asks."""
    policy = house.directory / "rules" / "cwpp" / "policy.yaml"
    policy.write_text(f"{policy.read_text()}record: {LOGS}\n")
    assert house.says("rules", "check").code == 0
    monkeypatch.setenv("LOGS_RULE", rule)
    if endpoint is not None:
        monkeypatch.setenv("LOGS_ENDPOINT", endpoint)
    with nobody_else() as strangers:
        said = house.says("run", house.writes("alert.ndjson", ndjson(a_flat_alert())))
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

"""`silences add|list|extend|end`: a person holds signals back for some hours, while the router runs."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from router.domain.keys import signal_key
from router.store.documents import document_of_silence, put_document
from tests.builders import alert_body
from tests.cli.house import POLICIES, House, Said, over_both
from tests.silences import a_silence
from tests.store.opened import Store, open_store, rows_in
from tests.store.within import within
from tests.warm import started

pytestmark = over_both

AT = "2026-11-24T12:00:00Z"
WHO = ("--reason", "patching", "--author", "ana@contoso.example")
VM = ("--resource", "vm-1")


@pytest.fixture
def state(house: House) -> House:
    """A house with a state in which nothing has happened."""
    house.writes("empty.ndjson", b"")
    assert house.says("run", "--now", AT, "empty.ndjson").code == 0
    return house


def silenced(house: House, *arguments: str, now: str = AT) -> Said:
    """What comes of a silence that needs no asking."""
    return house.says("silences", "add", *arguments, *WHO, "--yes", "--now", now)


def added(house: House, *arguments: str, now: str = AT) -> dict[str, object]:
    """A silence that was made, as JSON."""
    said = silenced(house, *arguments, "--format", "json", now=now)
    assert said.code == 0, said
    found: dict[str, object] = json.loads(said.out)
    return found


def listed(house: House, *arguments: str, now: str = AT) -> list[dict[str, object]]:
    """What the list says, as JSON."""
    said = house.says("silences", "list", "--format", "json", "--now", now, *arguments)
    assert said.code == 0, said
    found: list[dict[str, object]] = json.loads(said.out)
    return found


def with_policy(house: House, more: str) -> None:
    """Adds something to the policy of alerts."""
    text = POLICIES["cwpp"].replace("PATH", str(house.directory))
    house.writes("rules/cwpp/policy.yaml", f"{text}{more}\n")


def in_zone(monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    """Puts the machine into a time zone, from which the last test that does so leaves it in UTC."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()


def runs(house: House, *alerts: bytes, now: str = AT) -> Said:
    """A run over some alerts."""
    said = house.says("run", "--now", now, house.writes("alerts.ndjson", b"".join(one + b"\n" for one in alerts)))
    assert said.code == 0, said
    return said


def test_a_machine_is_silenced_for_two_hours_by_one_command_and_then_what_stands_comes_out_once(state: House) -> None:
    """From the moment on, until its end and not longer."""
    assert silenced(state, *VM, "--for", "2h").code == 0
    said = runs(state, alert_body(), now="2026-11-24T12:30:00Z")
    assert " of ana@contoso.example until 2026-11-24T14:00:00Z" in said.out
    assert state.lines("people.ndjson") == []
    runs(state, now="2026-11-24T13:59:59Z")
    assert state.lines("people.ndjson") == []
    for now in ("2026-11-24T14:00:00Z", "2026-11-24T14:01:00Z"):
        runs(state, now=now)
        assert [notice["id"] for notice in state.lines("people.ndjson")] == ["alert-1"]


def test_a_silence_prints_its_id_and_its_end_in_utc_and_local_time(
    state: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is called at night reads the clock on the wall."""
    in_zone(monkeypatch, "Europe/Berlin")
    said = silenced(state, *VM, "--for", "2h")
    (found,) = listed(state)
    assert f"silence {found['id']} by ana@contoso.example" in said.out
    assert "ends    2026-11-24T14:00:00Z, Tue 2026-11-24 15:00 CET" in said.out
    in_zone(monkeypatch, "UTC")
    assert "ends    2026-11-24T14:00:00Z\n" in silenced(state, *VM, "--for", "2h").out


def test_explain_says_what_is_silenced_before_an_update_comes(state: House) -> None:
    """What is silenced now, by what still holds then, and not what is over or is about another machine."""
    runs(state, alert_body())
    found = [added(state, *VM, "--for", "2h"), added(state, "--resource", "vm-2", "--for", "2h")]
    later = ("explain", "alert-1", "--now", "2026-11-24T12:30:00Z")
    line = (
        f"silence {found[0]['id']} by ana@contoso.example, holds what comes of it until 2026-11-24T14:00:00Z: patching"
    )
    assert line in [" ".join(one.split()) for one in state.says(*later).out.splitlines()]
    told = json.loads(state.says(*later, "--format", "json").out)
    assert [one["name"] for one in told["silences"]] == [found[0]["name"]]
    assert (told["held"], told["now"]["outcome"]) == (None, "routed")
    over = json.loads(state.says("explain", "alert-1", "--now", "2026-11-24T14:00:00Z", "--format", "json").out)
    assert over["silences"] == []


def test_it_is_shown_what_it_would_have_held_and_what_stands_now(state: House) -> None:
    """How much, the gravest, and some of it; and what of that people hear all the same."""
    old = alert_body("old", StartTimeUtc="2026-11-22T12:00:00Z")
    runs(state, old, now="2026-11-22T12:00:00Z")
    runs(state, alert_body("one", Severity="Medium"), alert_body("two"), now="2026-11-24T11:00:00Z")
    shown = added(state, *VM, "--for", "2h")["would_have_held"]
    assert isinstance(shown, dict)
    assert (shown["signals"], shown["messages"], shown["by_severity"]) == (2, 2, {"High": 1, "Medium": 1})
    assert (shown["standing"]["signals"], shown["not_looked_at"], shown["owed_already"]) == (3, 0, 0)
    assert [one["severity"] for one in shown["named"]] == ["High", "High", "Medium"]
    text = silenced(state, *VM, "--for", "1h").out
    assert "in the last 24 hours it would have held 2 signals in 2 messages; the gravest is High" in text
    assert (
        "3 of what stands now stay open where they were told, and their updates are held; the gravest is High" in text
    )
    assert "all of this was silenced for 0% of the last 30 days" in text


BROAD = (
    ("--host", "*.database.windows.net"),
    ("--host", "web-9", "--host", "*.database.windows.net"),
    ("--resource", "sql-*"),
    ("--entity", "process.commandline=*exe*"),
    ("--entity", "file.directory=*usr*"),
    ("--entity", "ip.address=10.0.0.0/8"),
    ("--entity", "ip.address=10.0.0.1"),
)


def a_day(house: House, broad: int, others: int) -> None:
    """What a stream told people in a day: some of what each broad scope covers, and some of what none does."""
    host, sql = "a.database.windows.net", "/subscriptions/1/resourceGroups/rg/providers/Microsoft.Sql/servers"
    entities = [
        {"Type": "ip", "Address": "10.0.0.1"},
        {"Type": "process", "CommandLine": "cmd.exe /c"},
        {"Type": "file", "Directory": "/usr/bin", "Name": "x"},
    ]
    told = [
        alert_body(f"b{n}", AzureResourceId=f"{sql}/sql-{n}", CompromisedEntity=host, Entities=entities)
        for n in range(broad)
    ]
    runs(house, *told, *(alert_body(f"o{n}") for n in range(others)), now="2026-11-24T11:00:00Z")


@pytest.mark.parametrize("scope", BROAD, ids=" ".join)
def test_a_silence_of_more_than_half_of_a_day_names_its_resource_or_its_type(
    state: House, scope: tuple[str, ...]
) -> None:
    """A glob, a range or a word that is in most signals would make the whole stream silent."""
    a_day(state, broad=2, others=1)
    said = silenced(state, *scope, "--for", "2h")
    assert (said.code, listed(state)) == (2, [])
    assert said.err == (
        "silences add: would have held 2 of 3 signals of the last 24 hours, more than half; "
        "say what it is about: --resource or --host without a glob, or --type\n"
    )
    assert silenced(state, *scope, "--type", "VM_Test", "--for", "2h").code == 0
    for narrow in (("--host", "a.database.windows.net"), ("--resource", "sql-0")):
        assert silenced(state, *narrow, "--for", "2h").code == 0


def test_a_silence_of_half_of_a_day_is_made_and_says_how_much_that_is(state: House) -> None:
    """What is less than all that people hear of is theirs to weigh."""
    a_day(state, broad=2, others=2)
    assert "it would have held 2 of 4 signals in 2 messages" in silenced(state, *BROAD[0], "--for", "2h").out
    shown = added(state, *BROAD[0], "--for", "2h")["would_have_held"]
    assert isinstance(shown, dict)
    assert (shown["signals"], shown["told"]) == (2, 4)


def test_it_is_shown_what_is_owed_already_and_goes_out_all_the_same(state: House) -> None:
    """A silence takes nothing back."""
    with_policy(state, "")
    policy = (state.directory / "rules/cwpp/policy.yaml").read_text()
    broken = policy.replace(f"{state.directory}/people.ndjson", f"{state.directory}/rules")
    (state.directory / "rules/cwpp/policy.yaml").write_text(broken)
    state.says("run", "--now", AT, state.writes("alerts.ndjson", alert_body()))
    assert "1 delivery owed already about these goes out all the same" in silenced(state, *VM, "--for", "2h").out


def test_what_cannot_be_looked_at_is_counted_and_no_credential_is_shown(state: House) -> None:
    """As people read it, and as programs do."""
    secret = "AccountKey=" + "A" * 43 + "="
    runs(state, alert_body("one", AlertDisplayName=f"Copied {secret}"), alert_body("two"), now="2026-11-24T11:00:00Z")
    rows_in(state.state, "UPDATE signals SET rule_fields=NULL WHERE key=?", signal_key("cwpp", "alert", "two"))
    said = silenced(state, *VM, "--for", "2h")
    assert "2 could not be looked at: what they say is not kept" in said.out
    shown = added(state, *VM, "--for", "2h")["would_have_held"]
    assert isinstance(shown, dict)
    assert (shown["signals"], shown["not_looked_at"]) == (1, 2)
    for text in (said.out, json.dumps(shown)):
        assert "Copied" in text
        assert "A" * 43 not in text


def test_a_scope_that_finds_nothing_says_which_option_would(state: House) -> None:
    """Whoever is tired takes a machine for a resource."""
    host = {"$id": "1", "Type": "host", "HostName": "web-1"}
    runs(state, alert_body(Entities=[host]))
    wanted = "--host web-1 would have found 1 signal; did you mean that?"
    assert wanted in silenced(state, "--resource", "web-1", "--for", "2h").out
    for found in (("--host", "web-1"), ("--host", "vm-1"), ("--resource", "vm-1")):
        assert "did you mean" not in silenced(state, *found, "--for", "2h").out


def test_a_silence_of_what_was_never_seen_says_so(state: House) -> None:
    """A misspelled name silences nothing; what was seen some weeks ago, and is over, was seen."""
    unheard = "nothing that is on record is of this kind: is a name misspelled?"
    assert unheard in silenced(state, "--host", "vm-1", "--for", "2h").out
    runs(state, alert_body(Status="New"), now="2026-11-03T12:00:00Z")
    runs(state, alert_body(Status="Resolved"), now="2026-11-03T13:00:00Z")
    assert unheard not in silenced(state, *VM, "--for", "2h").out
    for typo in (("--host", "vm-11"), ("--resource", "vm1"), ("--entity", "ip.address=203.0.113.77")):
        assert unheard in silenced(state, *typo, "--for", "2h").out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "silences add: would silence everything; say of what it is: --resource web-1"),
        (("--type", "VM_Example", "--for", "2h"), "silences add: would silence VM_Example everywhere"),
        (("--resource", "*", "--for", "2h"), "--resource: '*' has no piece of 3 letters"),
        ((*VM,), "--for: is missing; write for how long, such as --for 2h"),
        ((*VM, "--for", "2h", "--until", "2026-11-25"), "--for: and --until are both given; write one of them"),
        ((*VM, "--for", "2x"), "--for: '2x' is no duration; write one such as 2h"),
        ((*VM, "--until", "2026-11-24T12:00:00Z"), "--until: 2026-11-24T12:00:00Z is over; write a later end"),
        ((*VM, "--from", "2026-11-24T11:59:59Z", "--for", "2h"), "--from: 2026-11-24T11:59:59Z is over; leave it out"),
        ((*VM, "--from", "2026-11-26", "--until", "2026-11-25"), "--until: 2026-11-25T00:00:00Z is not after its beginning"),
        ((*VM, "--from", "2027-02-22T12:00:01Z", "--for", "2h"), "is more than 90d ahead, which the policy does not allow"),
        ((*VM, "--for", "24h1m"), "makes 1d1m without an hour's break; the policy allows 1d: write --for 1d at most"),
        ((*VM, "--for", "91d", "--every", "Sat 02:00-04:00 UTC"), "makes a series of 91d; the policy allows 90d"),
        ((*VM, "--for", "60d", "--every", "daily 00:00-24:00 UTC"), "write a shorter window, or fewer days"),
        ((*VM, "--for", "2h", "--every", "Sat 02:00-04:00 UTC"), "never comes before 2026-11-24T14:00:00Z; write a later end"),
        ((*VM, "--for", "60d", "--every", "Sat 02:00-04:00"), "--every: 'Sat 02:00-04:00' names no time zone"),
        ((*VM, "--for", "2h", "--reason", " "), "--reason: is empty"),
        ((*VM, "--for", "2h", "--author", " "), "--author: is empty"),
        ((*VM, "--for", "2h", "--type", " "), "--type: is empty"),
        ((*VM, "--for", "2h", "--ticket", " "), "--ticket: is empty"),
        ((*VM, "--for", "2h", "--type", "VM_\udcff"), "--type: 'VM_\\udcff' is not UTF-8; write it as text"),
        (("--resource", "vm-\udcff", "--for", "2h"), "--resource: 'vm-\\udcff' is not UTF-8; write it as text"),
        ((*VM, "--for", "2h", "--rules", "nowhere"), "nowhere: is no directory of rules"),
        ((*VM, "--for", "2h", "--state", "nowhere"), "nowhere: holds no state"),
        ((*VM, "--fro", "2h"), "did you mean --from?"),
    ],
)  # fmt: skip
def test_what_cannot_be_silenced_is_refused_in_one_line_that_says_what_to_write(
    state: House, arguments: tuple[str, ...], words: str
) -> None:
    """And nothing is."""
    said = state.says("silences", "add", "--yes", "--now", AT, *WHO, *arguments)
    assert words in said.complaint
    assert listed(state) == []


def test_a_reason_is_asked_for(state: House) -> None:
    """People will read it."""
    complaint = state.says("silences", "add", *VM, "--for", "2h", "--yes").complaint
    assert complaint.startswith("--reason: is missing; say why")


def test_the_policy_says_how_long_which_ticket_and_what_is_told_all_the_same(state: House) -> None:
    """And the command says what the policy wants."""
    bounds = '{longest: 4h, ticket: "^CHG-[0-9]+$", refuse: {at_least: High}}'
    with_policy(state, f"silences: {bounds}")
    assert (
        "--ticket: is missing; the policy wants one that matches ^CHG-[0-9]+$"
        in silenced(state, *VM, "--for", "2h").err
    )
    assert "--ticket: 'no' does not match" in silenced(state, *VM, "--for", "2h", "--ticket", "no").err
    ticket = ("--ticket", "CHG-12")
    assert "write --for 4h at most" in silenced(state, *VM, "--for", "5h", *ticket).err
    said = silenced(state, *VM, "--for", "4h", *ticket)
    assert "High and worse, and what is of unknown severity, is told all the same: so says the policy" in said.out
    assert [one["ticket"] for one in listed(state)] == ["CHG-12"]
    runs(state, alert_body("high"), alert_body("medium", Severity="Medium"))
    assert [one["id"] for one in state.lines("people.ndjson")] == ["high"]


def test_a_chain_of_silences_is_no_longer_than_one_may_be(state: House) -> None:
    """And it is said from when they count, and for how long the next one may last."""
    silenced(state, *VM, "--for", "20h")
    said = silenced(state, *VM, "--for", "5h", now="2026-11-25T08:30:00Z")
    assert "makes 1d1h30m without an hour's break, counted from 2026-11-24T12:00:00Z" in said.complaint
    assert "write --for 3h30m at most" in said.complaint
    said = silenced(state, "--resource", "vm-1", "--host", "a", "--for", "3h30m", now="2026-11-25T08:30:00Z")
    assert "it goes on with what was silenced since 2026-11-24T12:00:00Z" in said.out
    narrower = ("--resource", "vm-1", "--host", "a", "--entity", "ip.address=10.0.0.1")
    said = silenced(state, *narrower, "--for", "1m", now="2026-11-25T12:30:00Z")
    assert "what is to be held longer wants a suppression rule" in said.complaint
    assert silenced(state, *VM, "--for", "1d", now="2026-11-25T13:00:00Z").code == 0


def test_an_unknown_type_is_said_with_the_one_that_may_be_meant_and_silenced_all_the_same(state: House) -> None:
    """Defender brings new ones."""
    said = silenced(state, *VM, "--type", "VM_Exampel", "--for", "2h")
    assert "warning: --type: 'VM_Exampel' is no alert type that is known; did you mean VM_Example?" in said.err
    assert said.code == 0
    assert silenced(state, *VM, "--type", "VM_Example", "--for", "2h").err == ""
    assert silenced(state, *VM, "--type", "SoftwareUpdate", "--stream", "cspm", "--for", "2h").err == ""


def test_without_a_stream_it_is_for_alerts(state: House) -> None:
    """Findings are silenced where the stream says so."""
    assert added(state, *VM, "--for", "2h")["stream"] == "cwpp"
    assert added(state, *VM, "--for", "2h", "--stream", "cspm")["stream"] == "cspm"


def test_where_nobody_can_be_asked_yes_must_be_written(state: House) -> None:
    """Before anything is looked at."""
    said = state.says("silences", "add", *VM, "--for", "2h", *WHO, "--now", AT)
    assert said.complaint.startswith("--yes: is missing, and there is no terminal to ask on")
    assert listed(state) == []


@pytest.mark.parametrize(("answer", "code", "number"), [("y", 0, 1), ("yes", 0, 1), ("", 2, 0), ("n", 2, 0)])
def test_on_a_terminal_a_person_is_asked_after_seeing_what_it_holds(
    state: House, answer: str, code: int, number: int
) -> None:
    """Anything but yes is no."""
    main, terminal = pty.openpty()
    os.write(main, f"{answer}\n".encode())
    asking = started(
        *("router", "silences", "add", *VM, "--for", "2h", *WHO, "--now", AT),
        env=os.environ,
        cwd=state.directory,
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = asking.communicate()
    os.close(main)
    os.close(terminal)
    assert asking.wait() == code, err
    assert "Silence it until 2026-11-24T14:00:00Z" in err
    assert "nothing that stands now is of this kind" in out
    assert len(listed(state)) == number


def test_the_list_has_the_soonest_end_first_and_says_what_each_holds(state: House) -> None:
    """And what came of it."""
    long = added(state, "--resource", "data-*", "--for", "60d", "--every", "Sat 02:00-04:00 UTC")["id"]
    short = added(state, *VM, "--for", "2h")["id"]
    runs(state, alert_body(), alert_body("alert-2"), now="2026-11-24T12:30:00Z")
    first, last = listed(state, now="2026-11-24T13:00:00Z")
    assert (first["id"], last["id"]) == (short, long)
    assert (first["hits"], first["last_hit"], first["holding"]) == (2, "2026-11-24T12:30:00Z", 2)
    assert first["silenced_share"] == pytest.approx(1 / 720)
    assert (last["hits"], last["last_hit"], last["holding"]) == (0, None, 0)
    assert last["next_window"] == {"begins": "2026-11-28T02:00:00Z", "ends": "2026-11-28T04:00:00Z"}
    text = state.says("silences", "list", "--now", "2026-11-24T13:00:00Z").out
    heads, figures, about, *_ = text.splitlines()
    assert heads == "id      stream    hits  last hit                 holds now  of 30 days  ends"
    assert figures.endswith("2  2026-11-24T12:30:00Z             2          0%  2026-11-24T14:00:00Z (in 60 min)")
    assert about == "    anything at a resource called vm-1"
    assert "2026-11-28T02:00:00Z to 2026-11-28T04:00:00Z" in text
    assert "patching" in text


def test_what_is_over_is_in_the_list_of_what_is(state: House) -> None:
    """With what it held; it holds nothing any more."""
    added(state, *VM, "--for", "2h")
    runs(state, alert_body(), now="2026-11-24T12:30:00Z")
    assert listed(state, now="2026-11-24T14:00:00Z") == []
    assert state.says("silences", "list", "--now", "2026-11-24T14:00:00Z").out == "nothing is silenced\n"
    (over,) = listed(state, "--expired", now="2026-11-24T14:00:00Z")
    assert (over["state"], over["hits"]) == ("over", 1)
    assert listed(state, "--expired", now="2026-11-24T13:59:59Z") == []


def test_a_silence_that_cannot_be_read_is_counted(state: House) -> None:
    """It holds nothing, and keeps nobody from seeing the others."""

    def damage(store: Store) -> None:
        document = replace(document_of_silence(a_silence("broken")), body=b"{")
        asyncio.run(within(store, put_document, document))

    with_store(state, damage)
    added(state, *VM, "--for", "2h")
    assert "1 silence cannot be read" in state.says("silences", "list", "--now", AT).out
    assert len(listed(state)) == 1


def with_store(house: House, do: Callable[[Store], None]) -> None:
    """Does something with the state of a house."""
    store = open_store(house.state)
    try:
        do(store)
    finally:
        asyncio.run(store.close())


def test_a_silence_that_would_run_into_a_later_one_is_told_where_to_end(state: House) -> None:
    """What it is told to write is taken, and leaves an hour's break before what comes."""
    silenced(state, *VM, "--from", "2026-11-25T10:00:00Z", "--for", "20h")
    complaint = silenced(state, *VM, "--for", "22h").complaint
    assert "makes 1d18h without an hour's break; the policy allows 1d: write --for 21h at most" in complaint
    id = str(added(state, *VM, "--for", "2h")["id"])
    extend = ("silences", "extend", id, "--author", "ben", "--now", "2026-11-24T13:00:00Z")
    assert "write --for 19h at most" in state.says(*extend, "--for", "20h").complaint
    assert state.says(*extend, "--for", "19h").code == 0
    assert "wants a suppression rule" in state.says(*extend, "--for", "1m").complaint


def test_a_silence_is_extended_as_far_as_one_may_last(state: House) -> None:
    """Counted from its beginning; an id may be shortened, and written as the record has it."""
    id = str(added(state, *VM, "--for", "2h")["id"])
    extend = ("silences", "extend", "--author", "ben", "--now", "2026-11-24T13:00:00Z")
    said = state.says(*extend, id[:4], "--for", "2h")
    assert f"silence {id} by ana@contoso.example: anything at a resource called vm-1" in said.out
    assert "extended by ben" in said.out
    assert "ends    2026-11-24T16:00:00Z" in said.out
    complaint = state.says(*extend, id, "--for", "21h").complaint
    assert "--for: makes 1d1h without an hour's break" in complaint
    assert "write --for 20h at most" in complaint
    assert state.says(*extend, f"silence:{id}", "--for", "20h").code == 0
    assert [one["ends"] for one in listed(state)] == ["2026-11-25T12:00:00Z"]
    over = state.says("silences", "extend", id, "--for", "1h", "--now", "2026-11-25T12:00:00Z").complaint
    assert f"{id}: ended 2026-11-25T12:00:00Z; silences add makes another one" in over


def test_a_silence_is_ended_without_being_asked_and_what_it_held_comes_out(state: House) -> None:
    """It makes things louder. Once more it says when it ended."""
    id = str(added(state, *VM, "--for", "2h")["id"])
    runs(state, alert_body(), now="2026-11-24T12:30:00Z")
    end = ("silences", "end", id[:3], "--author", "ben")
    said = state.says(*end, "--now", "2026-11-24T13:00:00Z").out
    assert "ends    2026-11-24T13:00:00Z" in said
    assert "  ended by ben; what it holds and still stands comes out\n" in said
    assert f"silence {id} ended already, 2026-11-24T13:00:00Z" in state.says(*end, "--now", "2026-11-24T13:05:00Z").out
    runs(state, now="2026-11-24T13:01:00Z")
    assert [notice["id"] for notice in state.lines("people.ndjson")] == ["alert-1"]


def test_a_run_says_to_the_second_until_when_a_silence_holds(state: House) -> None:
    """One that begins at any instant ends at any."""
    added(state, *VM, "--for", "2h", now="2026-11-24T12:00:00.25Z")
    said = runs(state, alert_body(), now="2026-11-24T12:30:00Z").out
    assert "of ana@contoso.example until 2026-11-24T14:00:00Z\n" in said


def test_one_that_is_to_come_is_ended_before_it_begins(state: House) -> None:
    """It never holds anything."""
    id = str(added(state, *VM, "--from", "2026-11-25", "--for", "2h")["id"])
    assert [one["state"] for one in listed(state)] == ["coming"]
    assert state.says("silences", "end", id, "--now", AT).code == 0
    runs(state, alert_body(), now="2026-11-25T01:00:00Z")
    assert len(state.lines("people.ndjson")) == 1


def test_one_that_somebody_ended_by_a_clock_that_is_ahead_is_not_extended(state: House) -> None:
    """It would go on record as extended, and end all the same."""
    id = str(added(state, *VM, "--for", "2h")["id"])
    assert state.says("silences", "end", id, "--author", "bo", "--now", "2026-11-24T12:01:00Z").code == 0
    said = state.says("silences", "extend", id, "--for", "1h", "--author", "bo", "--now", AT)
    assert f"{id}: ended 2026-11-24T12:01:00Z" in said.complaint


def test_an_id_that_is_none_is_said(state: House) -> None:
    """In one line."""
    assert state.says("silences", "end", "4f2a").complaint == "4f2a: is no id in the list; the list shows them"


def test_each_change_is_on_record_with_who_made_it(state: House) -> None:
    """And when it ended since then."""
    id = str(added(state, *VM, "--for", "2h")["id"])
    added(state, "--host", "web-1", "--for", "2h")
    state.says("silences", "extend", id, "--for", "1h", "--author", "ben", "--now", "2026-11-24T12:01:00Z")
    state.says("silences", "end", id, "--author", "eve", "--now", "2026-11-24T12:02:00Z")
    (over,) = listed(state, "--expired", now="2026-11-24T12:02:00Z")
    assert over["changes"] == [
        {"action": "added", "at": AT, "author": "ana@contoso.example", "ends": "2026-11-24T14:00:00Z"},
        {"action": "extended", "at": "2026-11-24T12:01:00Z", "author": "ben", "ends": "2026-11-24T15:00:00Z"},
        {"action": "ended", "at": "2026-11-24T12:02:00Z", "author": "eve", "ends": "2026-11-24T12:02:00Z"},
    ]


def test_a_run_that_waits_for_input_does_not_keep_anybody_from_silencing(state: House) -> None:
    """It obeys when it looks again."""

    def silenced_meanwhile(store: Store) -> None:
        store.hold()
        added(state, *VM, "--for", "2h")

    with_store(state, silenced_meanwhile)
    assert len(listed(state)) == 1

"""`silences add|list|extend|end`: a person holds signals back for some hours, while the router runs."""

import asyncio
import json
import os
import pty
import re
import subprocess
import time
from argparse import ArgumentTypeError
from copy import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.app.fields import duration_text
from router.cli.arguments import duration_in
from router.cli.option_values import author_given, words_given
from router.domain.errors import BadUsage
from router.domain.keys import signal_key
from router.store.documents import document_of_silence, put_document
from tests.builders import alert_body
from tests.cli.house import POLICIES, House, Said, Transcript, over_both
from tests.silences import a_silence
from tests.store.opened import Store, rows_in
from tests.store.within import within
from tests.warm import started

AT = "2026-11-24T12:00:00Z"
WHO = ("--reason", "patching", "--author", "ana@contoso.example")
ADD = f"silences add {' '.join(WHO)} --yes --now {AT}"
VM = f"{ADD} --resource vm-1"


@pytest.fixture
def state(house: House) -> House:
    """A house with a state in which nothing has happened."""
    house.writes("empty.ndjson", b"")
    assert house.says("run", "--now", AT, "empty.ndjson").code == 0
    return house


def printed(house: House, command: str) -> Any:
    """What a command that succeeds prints as JSON."""
    said = house.says(*command.split(), "--format", "json")
    assert said.code == 0, said
    return json.loads(said.out)


def listed(house: House) -> Any:
    """What is silenced or will be, as JSON."""
    return printed(house, f"silences list --now {AT}")


def with_policy(house: House, more: str) -> None:
    """Adds something to the policy of alerts."""
    text = POLICIES["cwpp"].replace("PATH", str(house.directory))
    house.writes("rules/cwpp/policy.yaml", f"{text}{more}\n")


def runs(house: House, *alerts: bytes, now: str = AT) -> Said:
    """A run over some alerts."""
    said = house.says("run", "--now", now, house.writes("alerts.ndjson", b"".join(one + b"\n" for one in alerts)))
    assert said.code == 0, said
    return said


def heard(house: House) -> list[str]:
    """The signals that people were told of."""
    return [notice["id"] for notice in house.lines("people.ndjson")]


@over_both
def test_a_machine_is_silenced_for_two_hours_by_one_command_and_then_what_stands_comes_out_once(state: House) -> None:
    """The list says what each holds and held; `explain` says what is silenced before an update comes."""
    runs(state, alert_body("before"))
    short = printed(state, f"{VM} --for 2h")
    told = printed(state, f"explain before --now {AT}")
    assert [one["name"] for one in told["silences"]] == [short["name"]]
    assert (told["held"], told["now"]["outcome"]) == (None, "routed")
    said = runs(state, alert_body(), alert_body("alert-2"), now="2026-11-24T12:30:00Z")
    assert " of ana@contoso.example until 2026-11-24T14:00:00Z" in said.out
    (first,) = printed(state, "silences list --now 2026-11-24T13:00:00Z")
    assert (first["hits"], first["last_hit"], first["holding"]) == (2, "2026-11-24T12:30:00Z", 2)
    for now, told_of in (("13:59:59", ["before"]), ("14:00:00", ["before", "alert-1", "alert-2"])):
        runs(state, now=f"2026-11-24T{now}Z")
        assert heard(state) == told_of
    runs(state, now="2026-11-24T14:01:00Z")
    assert heard(state) == told_of
    assert printed(state, "explain before --now 2026-11-24T14:00:00Z")["silences"] == []


def test_the_list_has_the_soonest_end_first_and_says_what_each_holds(state: House, transcript: Transcript) -> None:
    """And what came of it; what is over is in the list of what is, with what it held and each change on record."""
    transcript(f"silences list --now {AT}")
    runs(state, alert_body("before"))
    transcript(f"{ADD} --resource 'data-*' --for 60d --every 'Sat 02:00-04:00 UTC'", f"{VM} --for 2h")
    transcript(f"explain before --now {AT}")
    runs(state, alert_body(), alert_body("alert-2"), now="2026-11-24T12:30:00Z")
    for later in (
        "--now 2026-11-24T13:00:00Z",
        *(f"--expired --now 2026-11-24T{at}Z" for at in ("13:59:59", "14:00:00")),
    ):
        transcript(f"silences list {later}", f"silences list {later} --format json")


def test_a_silence_prints_its_end_in_utc_and_local_time(state: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is called at night reads the clock on the wall."""
    for zone, ends in (("Europe/Berlin", ", Tue 2026-11-24 15:00 CET"), ("UTC", "")):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        assert f"ends    2026-11-24T14:00:00Z{ends}\n" in state.says(*VM.split(), "--for", "2h").out


def test_it_is_shown_what_it_would_have_held_and_what_stands_now(state: House, transcript: Transcript) -> None:
    """How much, the gravest, and some of it, without credentials; what is owed goes out; what cannot be seen is counted."""
    runs(state, alert_body("old", StartTimeUtc="2026-11-22T12:00:00Z"), now="2026-11-22T12:00:00Z")
    title = "Copied AccountKey=" + "A" * 43 + "="
    few = [alert_body("one", Severity="Medium", AlertDisplayName=title), alert_body("two")]
    runs(state, *few, now="2026-11-24T11:00:00Z")
    transcript(f"{VM} --for 2h", f"{VM} --for 2h --format json")
    rows_in(state.state, "UPDATE signals SET rule_fields=NULL WHERE key=?", signal_key("cwpp", "alert", "two"))
    with_policy(state, "")
    policy = (state.directory / "rules/cwpp/policy.yaml").read_text()
    broken = policy.replace(f"{state.directory}/people.ndjson", f"{state.directory}/rules")
    (state.directory / "rules/cwpp/policy.yaml").write_text(broken)
    runs(state, alert_body("owed"))
    transcript(f"{VM} --for 1h")


BROAD = (
    "--host *.database.windows.net",
    "--host web-9 --host *.database.windows.net",
    "--resource sql-*",
    "--entity process.commandline=*exe*",
    "--entity file.directory=*usr*",
    "--entity ip.address=10.0.0.0/8",
    "--entity ip.address=10.0.0.1",
)


def test_a_silence_of_more_than_half_of_a_day_names_its_resource_or_its_type(
    state: House, subtests: pytest.Subtests
) -> None:
    """A glob, a range or a word that is in most signals would make the whole stream silent; half of it is made."""
    host, sql = "a.database.windows.net", "/subscriptions/1/resourceGroups/rg/providers/Microsoft.Sql/servers"
    entities = [
        {"Type": "ip", "Address": "10.0.0.1"},
        {"Type": "process", "CommandLine": "cmd.exe /c"},
        {"Type": "file", "Directory": "/usr/bin", "Name": "x"},
    ]
    broad = [
        alert_body(f"b{n}", AzureResourceId=f"{sql}/sql-{n}", CompromisedEntity=host, Entities=entities)
        for n in range(2)
    ]
    runs(state, *broad, alert_body("o0"), now="2026-11-24T11:00:00Z")
    for scope in BROAD:
        with subtests.test(scope):
            said = state.says(*ADD.split(), *scope.split(), "--for", "2h")
            assert (said.code, said.err) == (
                2,
                "silences add: would have held 2 of 3 signals of the last 24 hours, more than half; "
                "say what it is about: --resource or --host without a glob, or --type\n",
            )
    assert listed(state) == []
    for narrow in (f"{BROAD[0]} --type VM_Test", f"--host {host}", "--resource sql-0"):
        printed(state, f"{ADD} {narrow} --for 2h")
    runs(state, alert_body("o1"), now="2026-11-24T11:00:00Z")
    shown = printed(state, f"{ADD} {BROAD[0]} --for 2h")["would_have_held"]
    assert (shown["signals"], shown["told"]) == (2, 4)
    assert "it would have held 2 of 4 signals in 2 messages" in state.says(*f"{ADD} {BROAD[0]} --for 1h".split()).out


def test_a_silence_of_what_was_never_seen_says_so_and_which_option_would_find_it(state: House) -> None:
    """A misspelled name silences nothing, or a machine is taken for a resource; what is over was seen."""

    def says(scope: str) -> str:
        return state.says(*f"{ADD} {scope} --for 2h".split()).out

    unheard = "nothing that is on record is of this kind: is a name misspelled?"
    assert unheard in says("--host vm-1")
    host = {"$id": "1", "Type": "host", "HostName": "web-1"}
    for status, hour in (("New", 12), ("Resolved", 13)):
        runs(state, alert_body(Status=status, Entities=[host]), now=f"2026-11-03T{hour}:00:00Z")
    for scope in ("--resource vm-1", "--host web-1", "--host vm-1"):
        assert unheard not in says(scope) and "did you mean" not in says(scope)
    for scope in ("--host vm-11", "--resource vm1", "--entity ip.address=203.0.113.77"):
        assert unheard in says(scope)
    runs(state, alert_body("now", Entities=[host]))
    assert "--host web-1 would have found 1 signal; did you mean that?" in says("--resource web-1")


REFUSED = (
    *("", "--type VM_Example --for 2h", "--resource '*' --for 2h", "--resource vm-\udcff --for 2h"),
    *("VM", "VM --for 2h --until 2026-11-25", "VM --for 2x", f"VM --until {AT}"),
    *("VM --from 2026-11-24T11:59:59Z --for 2h", "VM --from 2026-11-26 --until 2026-11-25"),
    *("VM --from 2027-02-22T12:00:01Z --for 2h", "VM --for 24h1m", "VM --for 91d --every 'Sat 02:00-04:00 UTC'"),
    *("VM --for 60d --every 'daily 00:00-24:00 UTC'", "VM --for 2h --every 'Sat 02:00-04:00 UTC'"),
    "VM --for 60d --every 'Sat 02:00-04:00'",
    *(f"VM --for 2h --{one} ' '" for one in ("reason", "author", "type", "ticket")),
    *("VM --for 2h --type VM_\udcff", "VM --for 2h --rules nowhere", "VM --for 2h --state nowhere", "VM --fro 2h"),
)


def test_what_cannot_be_silenced_is_refused_in_one_line_that_says_what_to_write(
    state: House, transcript: Transcript
) -> None:
    """And nothing is. Where nobody can be asked, yes must be written."""
    for arguments in REFUSED:
        assert transcript(f"{ADD} {re.sub('^VM', '--resource vm-1', arguments)}").complaint
    add = f"silences add --resource vm-1 --for 2h --now {AT}"
    assert transcript(f"{add} --yes", f"{add} {' '.join(WHO)}").code == 2
    assert listed(state) == []


def test_the_policy_says_how_long_which_ticket_and_what_is_told_all_the_same(
    state: House, transcript: Transcript
) -> None:
    """And the command says what the policy wants."""
    with_policy(state, 'silences: {longest: 4h, ticket: "^CHG-[0-9]+$", refuse: {at_least: High}}')
    transcript(*(f"{VM} --for {more}" for more in ("2h", "2h --ticket no", "5h --ticket CHG-12", "4h --ticket CHG-12")))
    assert [one["ticket"] for one in listed(state)] == ["CHG-12"]
    runs(state, alert_body("high"), alert_body("medium", Severity="Medium"))
    assert heard(state) == ["high"]


@pytest.mark.usefixtures("state")
def test_an_unknown_type_is_said_with_the_one_that_may_be_meant_and_silenced_all_the_same(
    transcript: Transcript,
) -> None:
    """Defender brings new ones. Findings are silenced where the stream says so."""
    transcript(
        *(f"{VM} --for 2h --type {type}" for type in ("VM_Exampel", "VM_Example", "SoftwareUpdate --stream cspm"))
    )


@pytest.mark.parametrize(("answer", "code"), [("yes", 0), ("", 2)])
def test_on_a_terminal_a_person_is_asked_after_seeing_what_it_holds(state: House, answer: str, code: int) -> None:
    """Anything but yes is no."""
    main, terminal = pty.openpty()
    os.write(main, f"{answer}\n".encode())
    add = ("router", *VM.replace(" --yes", "").split(), "--for", "2h")
    pipe = subprocess.PIPE
    asking = started(*add, env=os.environ, cwd=state.directory, stdin=terminal, stdout=pipe, stderr=pipe)
    out, err = asking.communicate()
    os.close(main)
    os.close(terminal)
    assert asking.wait() == code, err
    assert "Silence it until 2026-11-24T14:00:00Z" in err
    assert "nothing that stands now is of this kind" in out
    assert len(listed(state)) == (code == 0)


def test_a_silence_is_extended_as_far_as_one_may_last(state: House, transcript: Transcript) -> None:
    """Counted from its beginning, and to an hour before one that comes; an id may be shortened, or as the record has it."""
    id = printed(state, f"{VM} --for 2h")["id"]
    extend = "silences extend --author ben --now 2026-11-24T13:00:00Z"
    transcript(f"{extend} {id} --for 2h", f"{extend} {id} --for 21h")
    assert state.says(*f"{extend} silence:{id} --for 20h".split()).code == 0
    transcript(f"{extend.replace('T13', 'T12').replace('-24T', '-25T')} {id} --for 1h")
    transcript(f"{VM} --for 5h".replace("-24T12", "-25T11"), f"{VM} --for 1m --host a".replace("-24T12", "-25T12"))

    transcript(f"{ADD} --host db-1 --from 2026-11-25T10:00:00Z --for 20h", f"{ADD} --host db-1 --for 22h")
    short = printed(state, f"{ADD} --host db-1 --for 2h")["id"]
    transcript(*(f"{extend} {short} --for {time}" for time in ("20h", "19h", "1m")))
    assert state.says(*f"{extend} {id[:4]} --for 1m".split()).code == 2


def test_a_silence_is_ended_without_being_asked_and_what_it_held_comes_out(
    state: House, transcript: Transcript
) -> None:
    """It makes things louder; also before it begins. Once more it says when it ended, and each change is on record."""
    coming = printed(state, f"{VM} --from 2026-11-25 --for 2h")["id"]
    assert [one["state"] for one in listed(state)] == ["coming"]
    made = printed(state, f"{VM} --for 2h".replace("00:00Z", "00:00.25Z"))["id"]
    extend = f"silences extend {made} --for 1h --author ben --now 2026-11-24T12"
    assert transcript(f"silences end {coming} --author eve --now {AT}", f"{extend}:01:00Z --reason slow").code == 0
    said = runs(state, alert_body(), now="2026-11-24T12:30:00Z")
    assert "of ana@contoso.example until 2026-11-24T15:00:00Z\n" in said.out
    end = f"silences end {made} --author eve --reason done --now 2026-11-24T13"
    # The last is extended by a clock that is behind the one by which it was ended.
    transcript(f"{end}:00:00Z", f"{end}:05:00Z", f"{extend}:59:00Z", "silences end 4f2a")
    transcript("silences list --expired --now 2026-11-24T13:00:00Z --format json")
    runs(state, now="2026-11-24T13:01:00Z")
    runs(state, alert_body("later"), now="2026-11-25T01:00:00Z")
    assert heard(state) == ["alert-1", "later"]


def test_a_silence_is_made_beside_a_run_at_work_and_one_that_cannot_be_read_is_counted(state: House) -> None:
    """The run obeys when it looks again; what is damaged holds nothing, and keeps nobody from seeing the others."""
    document = replace(document_of_silence(a_silence("broken")), body=b"{")

    async def at_work(store: Store) -> None:
        await within(store, put_document, document)
        store.hold()
        await asyncio.to_thread(printed, state, f"{VM} --for 2h")

    state.in_state(at_work)
    assert "1 silence cannot be read" in state.says("silences", "list", "--now", AT).out
    assert len(listed(state)) == 1


MINUTE = timedelta(minutes=1)


@given(st.integers(1, 9_999))
def test_a_duration_is_read_as_it_is_written(minutes: int) -> None:
    """To the minute."""
    assert duration_in(duration_text(minutes * MINUTE)) == minutes * MINUTE


def test_days_hours_and_minutes_make_a_duration() -> None:
    """In this order, each at most once; what is none is refused with one that can be copied."""
    texts = {"2h": 120, "30m": 30, "1h30m": 90, "90m": 90, "2d": 2880, " 1D2H ": 1560}
    assert {text: duration_in(text) / MINUTE for text in texts} == texts
    for text in ("", "2", "h", "0h", "-2h", "2h2h", "30m1h", "2 h", "2s", "1.5h", "٢h", "99999999d"):
        with pytest.raises(ArgumentTypeError, match="write one such as 2h"):
            duration_in(text)


def test_the_author_is_who_is_named_else_whom_git_knows_else_who_is_logged_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it is said which; git's address comes first, since it can be written to. No git is needed to silence a host.

    An empty author or reason is refused by its option.
    """
    here = {"HOME": tmp_path, "XDG_CONFIG_HOME": tmp_path / "none", "GIT_CONFIG_NOSYSTEM": 1, "LOGNAME": "os-user"}
    for name, value in here.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.chdir(tmp_path)
    assert author_given(" ana\n") == ("ana", None)
    assert author_given(None) == ("os-user", "the name that is logged in")
    (tmp_path / ".gitconfig").write_text("[user]\n  name = Ben\n")
    assert author_given(None) == ("Ben", "git's user.name")
    (tmp_path / ".gitconfig").write_text("[user]\n  name = Ben\n  email = ben@example.com\n")
    assert str(author_given(None)) == "ben@example.com (by git's user.email)"
    assert str(author_given("ana")) == "ana"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert author_given(None).name == "os-user"
    for text in ("", " ", "\n\t"):
        with pytest.raises(BadUsage, match="--author: is empty"):
            author_given(text)
        with pytest.raises(BadUsage, match="--reason: is empty"):
            words_given("reason", text)

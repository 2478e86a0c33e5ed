"""What policy.yaml comes to."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from router.destinations import discover
from router.domain.rulebook import Lane
from router.domain.severity import Severity
from router.domain.signals import Stream
from router.rulebook import load
from tests.rulebook.builders import NOW, a_body, a_policy, loaded, rules_in, the_book
from tests.rulebook.kinds import KINDS

ROWS = {"kind": "rows", "table": "lake"}
DESK = {"kind": "desk", "url": "https://desk.example.com", "key": {"secret": "Z_KEY"}}


def test_a_floor_is_by_plan_whatever_the_case() -> None:
    """Each plan has its own floor, and every other plan has the default; a policy that says nothing of one drops nothing."""
    policy = a_policy(floor={"default": "High", "virtualmachines": "Low"})
    floor = the_book({"cwpp/policy.yaml": policy}).floor
    of_plans = [floor.severity_for(plan) for plan in ("VirtualMachines", "KeyVaults", None)]
    assert of_plans == [Severity.LOW, Severity.HIGH, Severity.HIGH]
    assert the_book().floor.severity_for(None) is Severity.INFORMATIONAL


def test_an_undefined_destination_is_reported_with_the_other_problems_of_its_route() -> None:
    """So a route is mended at once, and not once for each of its mistakes."""
    broken: list[dict[str, object]] = [
        {"name": "one", "when": {"severty": "High"}, "to": ["nowhere"]},
        {"name": "one", "when": 7, "to": ["nowhere"]},
        {"to": ["nowhere"]},
        {"name": "one", "to": ["nowhere", 7]},
        {"name": "one", "to": ["nowhere"], "respond_within": "soon"},
    ]
    for route in broken:
        problems = loaded({"cwpp/policy.yaml": a_policy(routes=[route])}).problems
        named = [one.message for one in problems if one.code == "unknown-destination"]
        assert named == ["routes[0].to[0]: names no destination 'nowhere'; known: tickets"]
        assert len([one for one in problems if one.level == "problem"]) > 1


def test_a_group_may_be_by_tags_whatever_the_case_of_their_names() -> None:
    """One tag in two spellings is one, and a tag's name may hold blanks and dots."""
    by = ["cluster", "tag.Team", "tag.TEAM", "tag.Cost center.v2"]
    policy = a_policy(destinations={"tickets": {**DESK, "group": {"by": by, "window": "1h"}}})
    group = the_book({"cwpp/policy.yaml": policy}).destinations["tickets"].group
    assert group is not None
    assert list(map(str, group.by)) == ["cluster", "tag.team", "tag.cost center.v2"]
    assert group.tags == ("team", "cost center.v2")


def test_a_destination_carries_its_kind_its_lane_and_the_names_of_its_secrets() -> None:
    """What it needs by name is known without any secret being read. `record:` makes one that no route can name."""
    desk = {**DESK, "fields": {"deep": [{"secret": "A_KEY"}]}}
    book = the_book({"cwpp/policy.yaml": a_policy(destinations={"tickets": desk}, record=ROWS)})
    (spec,) = book.destinations.values()
    assert (spec.name, spec.kind, spec.lane, spec.secrets) == ("tickets", "desk", Lane.TICKET, ("A_KEY", "Z_KEY"))
    assert book.record is not None
    assert (book.record.name, book.record.lane) == ("record", Lane.ROWS)


def test_a_route_says_how_soon_people_should_answer() -> None:
    """In minutes, hours or days."""
    written = {"30m": timedelta(minutes=30), "4h": timedelta(hours=4), "14d": timedelta(days=14), None: None}
    for text, within in written.items():
        route = {"name": "one", "to": ["tickets"]} | ({"respond_within": text} if text else {})
        (found,) = the_book({"cwpp/policy.yaml": a_policy(routes=[route])}).routes
        assert found.respond_within == within


def test_a_route_may_keep_low_and_medium_signals_quiet() -> None:
    """A quiet route is allowed for severities that nobody must be woken for; `bad/` has those that it is not allowed for."""
    for severities in (["Low"], ["Informational", "Low", "Medium"], "Medium"):
        policy = a_policy(routes=[{"name": "quiet", "when": {"severity": severities}, "to": []}])
        (route,) = the_book({"cwpp/policy.yaml": policy}).routes
        assert route.to == ()


def test_posture_reaches_every_lane_but_the_pager() -> None:
    """A destination of the CSPM stream may make tickets or rows; a pager stops the start."""
    for entry, starts in ((DESK, True), (ROWS, True), ({"kind": "pager", "key": {"secret": "KEY"}}, False)):
        policy = a_policy("cspm", destinations={"tickets": entry})
        assert (loaded({"cspm/policy.yaml": policy}, Stream.CSPM).rulebook is not None) is starts


def test_a_stream_without_a_policy_names_the_missing_file(tmp_path: Path) -> None:
    """A stream whose directory has no policy.yaml does not start, and says which file it misses."""
    result = load(rules_in(tmp_path), Stream.CSPM, KINDS, NOW)
    assert result.rulebook is None
    missing = f"{tmp_path.as_posix()}/cspm/policy.yaml: is missing; add it"
    assert [str(problem) for problem in result.problems] == [missing]


def test_a_broken_policy_does_not_hide_what_is_wrong_elsewhere() -> None:
    """Every problem of every file is told in one run, in the order of files and lines."""
    files = {
        "cwpp/policy.yaml": "stream: cwpp\n",
        "cwpp/suppressions/bb.json": a_body(expirationDateUtc=None),
        "cwpp/suppressions/aa.json": a_body(state="On", reason=None),
        "owners.yaml": "owners: 1\n",
        "attack.yaml": "version: [\n",
    }
    result = loaded(files)
    assert result.rulebook is None
    assert [problem.file for problem in result.problems] == sorted([*files, "cwpp/suppressions/aa.json"])


def test_without_an_attack_table_of_ones_own_the_programs_counts(tmp_path: Path) -> None:
    """Without attack.yaml alerts are mapped by the table that the program brings, and the hash says by which."""
    rules = rules_in(tmp_path)
    with_table = load(rules, Stream.CWPP, KINDS, NOW).rulebook
    (rules / "attack.yaml").unlink()
    result = load(rules, Stream.CWPP, KINDS, NOW)
    assert result.rulebook is not None and with_table is not None
    assert result.rulebook.attack == with_table.attack
    assert (result.rulebook.hash, result.problems) == (with_table.hash, ())


def messages_of(directory: Path, **policy: Any) -> list[tuple[str | None, str]]:
    """Code and words of what is said of a policy whose destinations are of real kinds."""
    rules = rules_in(directory, {"cwpp/policy.yaml": a_policy(**policy)})
    return [(one.code, one.message) for one in load(rules, Stream.CWPP, discover(), NOW).problems]


def test_a_placeholder_that_is_none_is_named_where_it_cannot_be_a_secret(tmp_path: Path) -> None:
    """Whoever misspelled a placeholder reads what they wrote, though nothing else that is written is repeated."""
    for text, said in (
        ("{owner.grup}", "{owner.grup} is no placeholder; did you mean {owner.group}?"),
        ("{salary}", "{salary} is no placeholder; there are id, key, "),
        ("{hunter2}", "... is no placeholder; there are id, key, "),
    ):
        auth = {"user": "router", "password": {"secret": "DESK_KEY"}}
        desk = {"kind": "servicenow", "url": "https://desk.example", "auth": auth, "fields": {"assignment_group": text}}
        ((_, message),) = messages_of(tmp_path, destinations={"tickets": desk})
        assert message.startswith(f"destinations.tickets.fields: assignment_group: {said}")


def test_who_has_mail_and_people_hear_of_rules_is_told_that_owners_do_not(tmp_path: Path) -> None:
    """Not where nobody hears at all, and not where no mail is sent."""
    mail = {"kind": "email", "host": "smtp.soc.example", "from": "a@soc.example", "to": ["b@soc.example"]}
    destinations = {"desk": {"kind": "slack", "url": {"secret": "SLACK"}}, "mail": mail}
    for notify, is_warned in ((["desk"], True), (["desk", "mail"], False), (["mail"], False), ([], False)):
        said = messages_of(tmp_path, destinations=destinations, otherwise=["desk", "mail"], routes=[], notify=notify)
        assert [code for code, _ in said] == ["owners-unheard"] * is_warned

"""What policy.yaml comes to."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from router.destinations import discover
from router.domain.rulebook import Lane
from router.domain.severity import Severity
from router.domain.signals import Stream
from router.rulebook import load
from tests.rulebook.builders import NOW, a_body, a_policy, a_sound_rulebook, loaded, rules_in
from tests.rulebook.kinds import KINDS

ROWS = {"kind": "rows", "table": "lake"}


def test_a_floor_is_by_plan_whatever_the_case(tmp_path: Path) -> None:
    """Each plan has its own floor, however its name is capitalised, and every other plan has the default."""
    policy = a_policy(floor={"default": "High", "virtualmachines": "Low"})
    floor = a_sound_rulebook(tmp_path, {"cwpp/policy.yaml": policy}).floor
    assert floor.severity_for("VirtualMachines") is Severity.LOW
    assert floor.severity_for("KeyVaults") is Severity.HIGH
    assert floor.severity_for(None) is Severity.HIGH


def test_without_a_floor_everything_is_forwarded(tmp_path: Path) -> None:
    """A policy that says nothing of a floor drops nothing."""
    assert a_sound_rulebook(tmp_path).floor.severity_for(None) is Severity.INFORMATIONAL


@pytest.mark.parametrize(
    "broken",
    [
        {"name": "one", "when": {"severty": "High"}, "to": ["nowhere"]},
        {"name": "one", "when": 7, "to": ["nowhere"]},
        {"to": ["nowhere"]},
        {"name": "one", "to": ["nowhere", 7]},
        {"name": "one", "to": ["nowhere"], "respond_within": "soon"},
    ],
)
def test_an_undefined_destination_is_reported_with_the_other_problems_of_its_route(
    broken: dict[str, object], tmp_path: Path
) -> None:
    """So a route is mended at once, and not once for each of its mistakes."""
    problems = loaded(tmp_path, {"cwpp/policy.yaml": a_policy(routes=[broken])}).problems
    named = [one.message for one in problems if one.code == "unknown-destination"]
    assert named == ["routes[0].to[0]: names no destination 'nowhere'; known: tickets"]
    assert len([one for one in problems if one.level == "problem"]) > 1


def test_a_group_may_be_by_tags_whatever_the_case_of_their_names(tmp_path: Path) -> None:
    """One tag in two spellings is one, and a tag's name may hold blanks and dots."""
    by = ["cluster", "tag.Team", "tag.TEAM", "tag.Cost center.v2"]
    desk = {"kind": "desk", "url": "https://desk.example.com", "key": {"secret": "KEY"}}
    policy = a_policy(destinations={"tickets": {**desk, "group": {"by": by, "window": "1h"}}})
    group = a_sound_rulebook(tmp_path, {"cwpp/policy.yaml": policy}).destinations["tickets"].group
    assert group is not None
    assert list(map(str, group.by)) == ["cluster", "tag.team", "tag.cost center.v2"]
    assert group.tags == ("team", "cost center.v2")


def test_a_destination_carries_its_kind_its_lane_and_the_names_of_its_secrets(tmp_path: Path) -> None:
    """What a destination needs by name is known without any secret being read."""
    desk = {
        "kind": "desk",
        "url": "https://desk.example.com",
        "key": {"secret": "Z_KEY"},
        "fields": {"deep": [{"secret": "A_KEY"}]},
    }
    policy = a_policy(destinations={"tickets": desk})
    spec = a_sound_rulebook(tmp_path, {"cwpp/policy.yaml": policy}).destinations["tickets"]
    assert (spec.name, spec.kind, spec.lane, spec.secrets) == ("tickets", "desk", Lane.TICKET, ("A_KEY", "Z_KEY"))


def test_the_record_is_a_destination_of_its_own(tmp_path: Path) -> None:
    """`record:` makes a destination named record, which no route can name."""
    book = a_sound_rulebook(tmp_path, {"cwpp/policy.yaml": a_policy(record=ROWS)})
    assert book.record is not None
    assert (book.record.name, book.record.lane) == ("record", Lane.ROWS)
    assert "record" not in book.destinations


@pytest.mark.parametrize(
    ("written", "within"),
    [("30m", timedelta(minutes=30)), ("4h", timedelta(hours=4)), ("14d", timedelta(days=14)), (None, None)],
)
def test_a_route_says_how_soon_people_should_answer(written: str | None, within: object, tmp_path: Path) -> None:
    """In minutes, hours or days."""
    route = {"name": "one", "to": ["tickets"]} | ({"respond_within": written} if written else {})
    (found,) = a_sound_rulebook(tmp_path, {"cwpp/policy.yaml": a_policy(routes=[route])}).routes
    assert found.respond_within == within


@pytest.mark.parametrize("severities", [["Low"], ["Informational", "Low", "Medium"], "Medium"])
def test_a_route_may_keep_low_and_medium_signals_quiet(severities: object, tmp_path: Path) -> None:
    """A quiet route is allowed for severities that nobody must be woken for; `bad/` has those that it is not allowed for."""
    policy = a_policy(routes=[{"name": "quiet", "when": {"severity": severities}, "to": []}])
    (route,) = a_sound_rulebook(tmp_path, {"cwpp/policy.yaml": policy}).routes
    assert route.to == ()


@pytest.mark.parametrize("lane", ["page", "ticket", "rows"])
def test_posture_reaches_every_lane_but_the_pager(lane: str, tmp_path: Path) -> None:
    """A destination of the CSPM stream may make tickets or rows; a pager stops the start."""
    entries = {
        "page": {"kind": "pager", "key": {"secret": "KEY"}},
        "ticket": {"kind": "desk", "url": "https://a.example.com", "key": {"secret": "KEY"}},
        "rows": ROWS,
    }
    policy = a_policy("cspm", destinations={"tickets": entries[lane]})
    result = loaded(tmp_path, {"cspm/policy.yaml": policy}, Stream.CSPM)
    assert (result.rulebook is None) is (lane == "page")


def test_a_stream_without_a_policy_names_the_missing_file(tmp_path: Path) -> None:
    """A stream whose directory has no policy.yaml does not start, and says which file it misses."""
    result = load(rules_in(tmp_path), Stream.CSPM, KINDS, NOW)
    assert result.rulebook is None
    assert [str(problem) for problem in result.problems] == [
        f"{tmp_path.as_posix()}/cspm/policy.yaml: is missing; add it"
    ]


def test_a_broken_policy_does_not_hide_what_is_wrong_elsewhere(tmp_path: Path) -> None:
    """Every problem of every file is told in one run, in the order of files and lines."""
    result = loaded(
        tmp_path,
        {
            "cwpp/policy.yaml": "stream: cwpp\n",
            "cwpp/suppressions/bb.json": a_body(expirationDateUtc=None),
            "cwpp/suppressions/aa.json": a_body(state="On", reason=None),
            "owners.yaml": "owners: 1\n",
            "attack.yaml": "version: [\n",
        },
    )
    assert result.rulebook is None
    assert [problem.file for problem in result.problems] == [
        "attack.yaml",
        "cwpp/policy.yaml",
        "cwpp/suppressions/aa.json",
        "cwpp/suppressions/aa.json",
        "cwpp/suppressions/bb.json",
        "owners.yaml",
    ]


def test_without_an_attack_table_of_ones_own_the_programs_counts(tmp_path: Path) -> None:
    """Without attack.yaml alerts are mapped by the table that the program brings, and the hash says by which."""
    rules = rules_in(tmp_path)
    with_table = load(rules, Stream.CWPP, KINDS, NOW).rulebook
    (rules / "attack.yaml").unlink()
    result = load(rules, Stream.CWPP, KINDS, NOW)
    assert result.rulebook is not None and with_table is not None
    assert result.rulebook.attack == with_table.attack
    assert (result.rulebook.hash, result.problems) == (with_table.hash, ())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{owner.grup}", "assignment_group: {owner.grup} is no placeholder; did you mean {owner.group}?"),
        ("{salary}", "assignment_group: {salary} is no placeholder; there are id, key, "),
        ("{hunter2}", "assignment_group: ... is no placeholder; there are id, key, "),
    ],
)
def test_a_placeholder_that_is_none_is_named_where_it_cannot_be_a_secret(text: str, said: str, tmp_path: Path) -> None:
    """Whoever misspelled a placeholder reads what they wrote, though nothing else that is written is repeated."""
    desk = {
        "kind": "servicenow",
        "url": "https://desk.example",
        "auth": {"user": "router", "password": {"secret": "DESK_KEY"}},
        "fields": {"assignment_group": text},
    }
    rules = rules_in(tmp_path, {"cwpp/policy.yaml": a_policy(destinations={"tickets": desk})})
    (problem,) = load(rules, Stream.CWPP, discover(), NOW).problems
    assert problem.message.startswith(f"destinations.tickets.fields: {said}")


@pytest.mark.parametrize(
    ("notify", "is_warned"), [(["desk"], True), (["desk", "mail"], False), (["mail"], False), ([], False)]
)
def test_who_has_mail_and_people_hear_of_rules_is_told_that_owners_do_not(
    notify: list[str], is_warned: bool, tmp_path: Path
) -> None:
    """Not where nobody hears at all, and not where no mail is sent."""
    mail = {"kind": "email", "host": "smtp.soc.example", "from": "a@soc.example", "to": ["b@soc.example"]}
    desk = {"kind": "slack", "url": {"secret": "SLACK"}}
    destinations = {"desk": desk, "mail": mail}
    policy = a_policy(destinations=destinations, otherwise=["desk", "mail"], routes=[], notify=notify)
    problems = load(rules_in(tmp_path, {"cwpp/policy.yaml": policy}), Stream.CWPP, discover(), NOW).problems
    assert [problem.code for problem in problems] == ["owners-unheard"] * is_warned

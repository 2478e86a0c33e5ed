"""`coverage check`: what goes in, what comes out, and when it fails."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from tests.cli.house import House, commands_in
from tests.cli.transcripts import Transcript
from tests.coverage.admission_builders import whole_gatekeeper
from tests.coverage.builders import (
    CLUSTER,
    SQL_SERVER,
    SUBSCRIPTION,
    kubectl,
    managed_cluster,
    node,
    nodes,
    pricing,
    resource,
    sensor,
)

CHECK = "coverage check --now 2026-11-25T12:00:00Z"
FORMS = ("text", "json", "junit", "github", "markdown")
ANSWER = "owner: a@b.example, reason: rebuilt, ends: 2027-01-31"


@pytest.fixture
def dark(house: House) -> House:
    """A house with what kubectl printed of clusters: healthy, dark, one that may not have a sensor, one unasked."""
    house.writes("healthy.json", json.dumps(kubectl(*sensor(), *nodes())))
    house.writes("dark.json", json.dumps(kubectl(*sensor(ready=0), *nodes())))
    house.writes("windows.json", json.dumps(kubectl(*sensor(ready=0, desired=0), node("win", system="windows"))))
    house.writes("unasked.json", json.dumps(managed_cluster()))
    house.writes("other.json", '{"hello": "world"}')
    return house


@pytest.fixture
def many(house: House) -> House:
    """A house with forty clusters that were not asked, and a dark one."""
    names = [f"aks-{number:02}" for number in range(40)]
    unasked = [managed_cluster(f"{CLUSTER.rpartition('/')[0]}/{name}") for name in names]
    house.writes("clusters.json", json.dumps(unasked))
    house.writes("dark.json", json.dumps(kubectl(*sensor(ready=0), *nodes())))
    for name in names[:7]:
        house.writes(f"many/{name}.json", '{"hello": "world"}')
    return house


@pytest.mark.usefixtures("dark")
def test_a_gap_is_1_and_what_is_unknown_is_2_unless_it_is_allowed(transcript: Transcript) -> None:
    """The first line says how many workloads of how many files were judged. A gate that saw nothing has proved nothing."""
    for files, codes in (
        ("healthy=healthy.json", (2, 0)),
        ("unasked.json", (2, 0)),
        ("unasked.json dark=dark.json", (1, 1)),
        ("other.json", (2, 2)),
    ):
        assert (transcript(f"{CHECK} {files}").code, transcript(f"{CHECK} --allow-unknown {files}").code) == codes


def test_a_file_that_cannot_be_used_is_named_and_keeps_no_other_one_from_being_judged(dark: House) -> None:
    """It is one line on standard error; beside a gap the exit code is that of the gap."""
    contents = {
        "": "is empty",
        "kind: List": "is no JSON",
        "[" * 100_000: "is nested too deeply",
        "9" * 5000: "is no JSON",
    }
    for number, (content, why) in enumerate(contents.items()):
        dark.writes(f"bad-{number}.json", content)
        for other, code in (("healthy", 2), ("dark", 1)):
            given = ("--allow-unknown", f"{other}={other}.json", f"bad-{number}.json")
            said = dark.says(*CHECK.split(), *given)
            assert (said.code, said.err.count("\n")) == (code, 1)
            assert said.err.startswith(f"bad-{number}.json: {why}")
    assert "gone.json: cannot be read" in dark.says(*CHECK.split(), "healthy=healthy.json", "gone.json").err


def test_a_name_before_a_file_says_which_cluster_it_is_of(house: House, transcript: Transcript) -> None:
    """A directory has files, and a file may itself have `=` in its name; one that is in a directory, too, is read once."""
    house.writes("x=y.json", json.dumps(kubectl(*sensor(), *nodes())))
    house.writes("many/sensor.json", json.dumps(kubectl(*sensor())))
    house.writes("many/nodes.json", json.dumps(kubectl(*nodes())))
    house.writes("both/a.json", json.dumps(kubectl(*sensor(), *nodes())))
    house.writes("both/b.json", json.dumps(managed_cluster()))
    transcript(
        *(
            f"{CHECK} {files}"
            for files in ("x=y.json", "payments=many", "both healthy=both/a.json", "healthy=both/a.json both")
        )
    )


def test_every_format_tells_every_state_apart(dark: House, transcript: Transcript) -> None:
    """In JUnit what is excused or not coverable is skipped; where unknown passes it is, too, and is a warning on GitHub."""
    expected = "expect: [{kind: cluster, rungs: sensor-running}]\nexceptions: [{kind: cluster, name: lab, "
    dark.writes("rules/coverage.yaml", f"{expected}{ANSWER}}}]")
    dark.writes("new.json", json.dumps(kubectl(*nodes())))
    files = "healthy=healthy.json dark=dark.json new=new.json windows=windows.json lab=dark.json"
    for form in (*FORMS, "junit --allow-unknown", "github --allow-unknown"):
        assert transcript(f"{CHECK} --format {form} {files}").code == 1


def test_no_text_of_a_resource_acts_wherever_it_is_printed(dark: House, subtests: pytest.Subtests) -> None:
    """Names of clusters are anybody's words; an agent of CI looks for commands anywhere in a line. Data stay what they are."""
    evil = "##vso[task.complete]##[add-mask]x\n::stop-commands::y"
    dark.writes("evil.json", json.dumps(kubectl(*sensor(ready=0, namespace=evil), *nodes())))
    dark.writes("refused.json", json.dumps({"error": {"code": "Denied", "message": evil}}))
    for name in ("a|b`c", "x\n::error::y", "<img src=x>", "\u202egnp", evil):
        for form in FORMS:
            with subtests.test(name=name, form=form):
                files = (f"{name}=evil.json", "refused.json", f"{name}.json")
                out = dark.says(*CHECK.split(), "--format", form, *files).out
                assert "\u202e" not in out
                assert not any(line.startswith("::error::") for line in out.splitlines())
                assert form in ("github", "markdown") or commands_in(out) == []
                if form == "markdown":
                    assert "<img" not in out.replace("`<img src=x>`", "")
                if (name, form) == (evil, "json"):
                    assert name in {row["name"] for row in json.loads(out)["workloads"]}
                if (name, form) == (evil, "junit"):
                    cases = [case.get("name", "") for case in ElementTree.fromstring(out).iter("testcase")]
                    assert any(name.replace("\n", " ") in case for case in cases)


@pytest.mark.usefixtures("many")
def test_what_is_alike_of_many_is_said_once(transcript: Transcript) -> None:
    """Also where the command has the name of each: three are shown, the others counted; a cluster that differs stands alone.

    GitHub shows ten errors of a step: forty clusters that were not asked leave room for the one that is dark.
    """
    both = "clusters.json aks-07=dark.json"
    transcript(
        f"{CHECK} clusters.json", *(f"{CHECK} --format {form} {both}" for form in ("text", "github", "markdown"))
    )
    transcript(f"{CHECK} many")


def test_a_matrix_of_many_counts_those_that_stand_alike(house: House) -> None:
    """Up to sixty workloads each have a line; of more, the first five of those that stand alike, whatever else is there."""
    house.writes("dark.json", json.dumps(kubectl(*sensor(ready=0), *nodes())))
    for many, lines in ((59, 60), (60, 7)):
        ids = [f"{CLUSTER.rpartition('/')[0]}/aks-{number:02}" for number in range(many)]
        house.writes("clusters.json", json.dumps([managed_cluster(id) for id in ids]))
        said = house.says(*CHECK.split(), "clusters.json", "zz-dark=dark.json").out
        matrix = said.split("\n\n")[1].splitlines()[1:]
        assert len(matrix) == lines
        assert any(line.startswith("  cluster zz-dark ") and "GAP" in line for line in matrix)
    assert any(line.startswith("  and 55 more that stand so ") for line in matrix)


def test_what_passes_a_gate_that_covers_is_said_where_people_read_it(house: House, transcript: Transcript) -> None:
    """Once for all clusters of which it is so, in text, on the page and in a summary."""
    for name in ("shop", "pay"):
        house.writes(f"{name}.json", json.dumps(kubectl(*whole_gatekeeper(), *sensor(), *nodes())))
    files = "shop=shop.json pay=pay.json"
    transcript(*(f"{CHECK} --format {form} {files}" for form in ("text", "markdown")))
    house.says(*f"coverage report --now 2026-11-25T12:00:00Z --out page.html {files}".split())
    page = (house.directory / "page.html").read_text()
    limits = "while no pod answers it, everything is admitted; Gatekeeper: 1 of 1 constraints refuse nothing: 1 dryrun"
    assert "<h2>Covered within limits</h2>" in page and page.count(limits) == 1


def test_a_manifest_that_would_not_be_read_is_no_silence(dark: House, transcript: Transcript) -> None:
    """Without it less would be missed: a name that is nearly right is refused, and so is a directory that is not there.

    It is said when no manifest says what is expected; programs read which one counted.
    """
    mine = "--rules mine healthy=healthy.json"
    for name in ("coverage.yml", "coverage.json"):
        dark.writes(f"mine/{name}", "expect: [{kind: cluster, name: aks-forgotten}]")
        transcript(f"{CHECK} {mine}", f"coverage report {mine}")
        (dark.directory / "mine" / name).unlink()
    dark.writes("mine/coverage.yaml", "expect: [{kind: cluster, name: healthy}]")
    transcript(f"{CHECK} --rules nowhere healthy=healthy.json", f"{CHECK} healthy=healthy.json")
    transcript(f"{CHECK} {mine}", f"{CHECK} --format json {mine}")


def test_an_exception_that_excuses_nothing_is_told_and_one_that_does_says_what_mends_it(
    dark: House, transcript: Transcript
) -> None:
    """One for a cluster that is mended would excuse the next gap, too; what is unknown is asked for, and not mended."""
    names = ("dark", "healthy", "darc*", "new")
    entries = "".join(f"  - {{kind: cluster, name: {name}, {ANSWER}}}\n" for name in names)
    expected = "expect: [{kind: cluster, name: [dark, healthy, new], rungs: sensor-running}]"
    dark.writes("rules/coverage.yaml", f"{expected}\nexceptions:\n{entries}")
    assert transcript(f"{CHECK} dark=dark.json healthy=healthy.json").code == 0
    transcript(f"{CHECK} dark=healthy.json")


def test_a_pattern_that_fits_nothing_is_unknown(dark: House, transcript: Transcript) -> None:
    """Somebody knows of machines called so, and the file that would name them is missing: no gate may pass over that.

    Who expects a kind says what would be expected of such a workload, and not that there is one.
    """
    entry = "expect:\n  - {kind: cluster, name: NAME, rungs: sensor-running}\n"
    dark.writes("rules/coverage.yaml", entry.replace("NAME", "[healthy, 'h*', 'vm-*']"))
    for form in ("text", "junit", "github", "markdown"):
        assert transcript(f"{CHECK} --format {form} healthy=healthy.json").code == 2
    assert transcript(f"{CHECK} --allow-unknown --format junit healthy=healthy.json").code == 0
    for name in ("'h*'", "[healthy, '*']"):
        others = "  - {kind: machine}\n  - {kind: registry, subscription: '6f*'}\n"
        dark.writes("rules/coverage.yaml", entry.replace("NAME", name) + others)
        assert transcript(f"{CHECK} healthy=healthy.json").code == 0


READ = ("text", "junit", "github", "markdown")
SERVERS = [resource(SQL_SERVER, "Microsoft.Sql/servers")]


@pytest.fixture
def covered(house: House) -> House:
    """A house in which all is covered: one SQL server and the plan of its subscription."""
    house.writes("plans.json", json.dumps(pricing("SqlServers")))
    house.writes("servers.json", json.dumps(SERVERS))
    house.writes("rules/coverage.yaml", "expect:\n  - kind: sql-server\n")
    return house


def page_of(house: House, *files: str) -> str:
    """The page on plans and other files."""
    house.says("coverage", "report", "--now", "2026-11-25T12:00:00Z", "--out", "page.html", "plans.json", *files)
    return (house.directory / "page.html").read_text()


def test_what_was_not_answered_in_full_is_2_unless_unknown_passes(covered: House, transcript: Transcript) -> None:
    """Every form names the file."""
    covered.writes("refused.json", json.dumps({"error": {"code": "AuthorizationFailed"}}))
    covered.writes("part.json", json.dumps({"data": SERVERS, "total_records": 2, "skip_token": "x"}))
    for form in READ:
        assert transcript(f"{CHECK} --format {form} plans.json servers.json refused.json").code == 2
    assert transcript(f"{CHECK} --format text plans.json servers.json part.json").code == 2
    assert transcript(f"{CHECK} --format text --allow-unknown plans.json servers.json part.json").code == 0
    assert "refused.json: not answered in full" in page_of(covered, "refused.json")


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        ("FoundationalCspm", "Foundational CSPM is on in 1 subscription."),
        ("Api", f"Foundational CSPM of {SUBSCRIPTION} is not known to be on: no answer names a plan of posture"),
    ],
    ids=["on", "unknown"],
)
def test_posture_is_a_line_of_every_form_and_changes_no_exit_code(
    covered: House, transcript: Transcript, plan: str, sentence: str
) -> None:
    """In JUnit it is a remark on the plans of the subscription, where that is judged."""
    covered.writes("posture.json", json.dumps(pricing(plan)))
    for form in ("text", "json", "markdown"):
        assert transcript(f"{CHECK} --format {form} plans.json servers.json posture.json").code == 0
    assert sentence in page_of(covered, "posture.json")
    covered.writes("rules/coverage.yaml", "expect:\n  - kind: subscription\n    plans: {SqlServers: any}\n")
    transcript(f"{CHECK} --format junit plans.json servers.json posture.json")


def test_no_name_of_a_subscription_acts_in_the_sentence(covered: House) -> None:
    """Whoever names a subscription writes into a summary of CI."""
    account = {"id": SUBSCRIPTION, "tenantId": "t", "isDefault": True, "name": "<img src=x>|@team\n::error::x\u202e"}
    covered.writes("accounts.json", json.dumps([account]))
    for form in FORMS:
        out = covered.says(*CHECK.split(), "--format", form, "plans.json", "servers.json", "accounts.json").out
        assert "\u202e" not in out
        assert not any(line.startswith("::error::x") for line in out.splitlines())
        if form == "markdown":
            (line,) = [line for line in out.splitlines() if "Foundational" in line]
            assert "<img" not in line and "@team" not in line


def test_of_many_commands_the_first_ones_are_shown(covered: House, transcript: Transcript) -> None:
    """All of them are in the JSON and on the page, each on its line."""
    plans = ("SqlServers", "CosmosDbs", "AppServices", "Arm", "Api")
    covered.writes("plans.json", json.dumps({"value": [pricing(name, "Free") for name in plans]}))
    expected = ", ".join(f"{name}: any" for name in plans)
    covered.writes("rules/coverage.yaml", f"expect:\n  - kind: subscription\n    plans: {{{expected}}}\n")
    transcript(*(f"{CHECK} --format {form} plans.json servers.json" for form in READ))
    (row,) = json.loads(covered.says(*CHECK.split(), "--format", "json", "plans.json", "servers.json").out)["workloads"]
    assert len(row["rungs"]["plan"]["remedy"].split("\n")) == 5
    assert "2 more like it" in page_of(covered)

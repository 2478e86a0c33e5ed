"""`coverage check` and `report`: what goes in, what comes out, and when the gate fails; and a manifest that is checked."""

import json
import re
from html import unescape
from xml.etree import ElementTree

import pytest

from router.coverage.documents import dated
from router.coverage.report.findings import GateReport, evidence_line
from router.coverage.report.page import render_page
from router.coverage.verdicts import CoverageEvidence, CoverageState
from router.domain.coverage_sources import CoverageSourceKind
from tests.cli.house import House, Transcript, commands_in
from tests.coverage import builders as az
from tests.coverage.admission_builders import whole_gatekeeper
from tests.coverage.builders import CLUSTER, NOW, SUBSCRIPTION, kubectl, managed_cluster, nodes, pricing, sensor
from tests.coverage.machine_builders import ago, all_healthy
from tests.coverage.stored_builders import drill, heard, of_state, said
from tests.pictures.browser import PHONE, find_browser, show

CHECK = "coverage check --now 2026-11-25T12:00:00Z"
FORMS = ("text", "json", "junit", "github", "markdown")
ANSWER = "owner: a@b.example, reason: rebuilt, ends: 2027-01-31"


@pytest.fixture
def dark(house: House) -> House:
    """A house with what kubectl printed of clusters: healthy, dark, one that may not have a sensor, one unasked."""
    house.writes("healthy.json", json.dumps(kubectl(*sensor(), *nodes())))
    house.writes("dark.json", json.dumps(kubectl(*sensor(ready=0), *nodes())))
    house.writes("windows.json", json.dumps(kubectl(*sensor(ready=0, desired=0), az.node("win", system="windows"))))
    house.writes("unasked.json", json.dumps(managed_cluster()))
    house.writes("other.json", '{"hello": "world"}')
    for name, content in (("bad", "kind: List"), ("deep", "[" * 100_000), ("digits", "9" * 5000), ("empty", "")):
        house.writes(f"{name}.json", content)
    return house


@pytest.mark.usefixtures("dark")
def test_a_gap_is_1_and_what_is_unknown_is_2_unless_it_is_allowed(transcript: Transcript) -> None:
    """The first line says how many workloads of how many files were judged. A gate that saw nothing has proved nothing.

    A file that cannot be used is a line on standard error, and keeps no other one from being judged.
    """
    for files, codes in (
        ("healthy=healthy.json", (2, 0)),
        ("unasked.json", (2, 0)),
        ("unasked.json dark=dark.json", (1, 1)),
        ("other.json", (2, 2)),
        ("healthy=healthy.json bad.json deep.json digits.json empty.json gone.json", (2, 2)),
        ("dark=dark.json bad.json", (1, 1)),
    ):
        assert (transcript(f"{CHECK} {files}").code, transcript(f"{CHECK} --allow-unknown {files}").code) == codes


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
    """Names of clusters and subscriptions are anybody's words; an agent of CI looks for commands anywhere in a line.

    Data stay what they are.
    """
    evil = "##vso[task.complete]##[add-mask]x\n::stop-commands::y"
    dark.writes("evil.json", json.dumps(kubectl(*sensor(ready=0, namespace=evil), *nodes())))
    dark.writes("refused.json", json.dumps({"error": {"code": "Denied", "message": evil}}))
    for name in ("a|b`c", "<img src=x>|@team\n::error::y\u202e", evil):
        account = {"id": SUBSCRIPTION, "tenantId": "t", "isDefault": True, "name": name}
        dark.writes("accounts.json", json.dumps([account]))
        for form in FORMS:
            with subtests.test(name=name, form=form):
                files = (f"{name}=evil.json", "refused.json", f"{name}.json", "accounts.json")
                out = dark.says(*CHECK.split(), "--format", form, *files).out
                assert "\u202e" not in out
                assert not any(line.startswith("::error::") for line in out.splitlines())
                assert form in ("github", "markdown") or commands_in(out) == []
                if form == "markdown":
                    shown = re.sub("`[^`]*`", "", out)
                    assert "<img" not in shown and "@team" not in shown
                if (name, form) == (evil, "json"):
                    assert name in {row["name"] for row in json.loads(out)["workloads"]}
                if (name, form) == (evil, "junit"):
                    cases = [case.get("name", "") for case in ElementTree.fromstring(out).iter("testcase")]
                    assert any(name.replace("\n", " ") in case for case in cases)


def test_what_is_alike_of_many_is_said_once(dark: House, transcript: Transcript) -> None:
    """Also where the command has the name of each: three are shown, the others counted; a cluster that differs stands alone.

    GitHub shows ten errors of a step: forty clusters that were not asked leave room for the one that is dark.
    """
    names = [f"aks-{number:02}" for number in range(40)]
    unasked = [managed_cluster(f"{CLUSTER.rpartition('/')[0]}/{name}") for name in names]
    dark.writes("clusters.json", json.dumps(unasked))
    for name in names[:7]:
        dark.writes(f"many/{name}.json", '{"hello": "world"}')
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
SERVERS = [az.resource(az.SQL_SERVER, "Microsoft.Sql/servers")]


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


def test_posture_is_a_line_of_every_form_and_changes_no_exit_code(covered: House, transcript: Transcript) -> None:
    """In JUnit it is a remark on the plans of the subscription, where that is judged."""
    rules = (covered.directory / "rules/coverage.yaml").read_text()
    for plan in ("FoundationalCspm", "Api"):
        covered.writes("posture.json", json.dumps(pricing(plan)))
        covered.writes("rules/coverage.yaml", rules)
        for form in ("json", "markdown", "text"):
            said = transcript(f"{CHECK} --format {form} plans.json servers.json posture.json")
            assert said.code == 0
        (sentence,) = [line for line in said.out.splitlines() if line.startswith("Foundational CSPM")]
        assert sentence in page_of(covered, "posture.json")
        covered.writes("rules/coverage.yaml", "expect:\n  - kind: subscription\n    plans: {SqlServers: any}\n")
        transcript(f"{CHECK} --format junit plans.json servers.json posture.json")


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


BROKEN = "expect:\n  - kind: clusters\n"
WARNED = "exceptions:\n  - {kind: cluster, owner: a@b.example, reason: rebuilt, ends: 2026-11-25}\n"


def test_a_mistake_is_a_line_and_ends_with_1_and_a_warning_is_none_unless_it_is_strict(
    house: House, transcript: Transcript
) -> None:
    """With its file and its line, in every format; the rules of the streams are not to blame, and stop no alert."""
    check = "rules check --now 2026-11-25T12:00:00Z"
    house.writes("rules/coverage.yaml", BROKEN)
    assert transcript(check, f"{check} --format github", f"{check} --format junit").code == 1
    assert transcript("rules test").code == 0
    house.writes("rules/coverage.yaml", WARNED)
    assert transcript(check, f"{check} --format junit").code == 0
    assert transcript(f"{check} --strict").code == 1
    schema = json.loads(house.says("rules", "schema", "coverage").out)
    assert set(schema["properties"]) == {"$schema", "export", "posture", "heard_within", "expect", "exceptions"}


def test_a_directory_with_a_manifest_alone_is_checked(house: House, transcript: Transcript) -> None:
    """Whoever runs the gate alone has no streams; other files are rules of streams that are missing."""
    house.writes("gate/coverage.yaml", "expect: [{kind: cluster}]")
    house.writes("gate/README.md", "who owns it")
    assert transcript("rules check gate").code == 0
    house.writes("gate/coverage.yaml", BROKEN)
    assert transcript("rules check gate").code == 1
    for name in ("owners.yaml", "cwpp"):
        house.writes(f"{name}-gate/coverage.yaml", BROKEN)
        house.writes(f"{name}-gate/{name}", "")
        transcript(f"rules check {name}-gate")
    transcript("rules test gate")


def test_a_kind_is_known_by_what_azure_calls_it(house: House) -> None:
    """Alone and in a list; a word that means nothing has no hint, nor has what is no word."""

    def says(kind: str) -> str:
        house.writes("rules/coverage.yaml", f"expect:\n  - kind: {kind}\n")
        said = house.says(*["rules", "check", "--now", "2026-11-25T12:00:00Z"])
        assert said.code == 1
        return said.out

    for word, kind in (("VMs", "machine"), ("aks", "cluster"), ("acr", "registry"), ("clusters", "cluster")):
        assert f"; did you mean '{kind}'?" in says(word)
        assert f"; did you mean '{kind}'?" in says(f"[machine, {word}]")
    for written in ("xyz", "[[vm]]", "3", "{vm: 1}"):
        assert "did you mean" not in says(written)


LONG = "cluster-with-a-name-" + "x" * 200
PLACE = "/home/ana/work/" + "estate-of-" * 20
ACTING = '<script>document.title="taken"</script><img src=x onerror=alert(1)>{{ 7 * 7 }}'


def report() -> GateReport:
    """A page with something in most states, and names that would act."""
    result = az.judged(
        az.document(kubectl(*sensor(), *nodes()), "healthy.json", "healthy"),
        az.document(kubectl(*sensor(ready=0), *nodes()), f"{ACTING}.json", ACTING),
        az.document(kubectl(*sensor()), "unasked.json", LONG),
        az.document(pricing("Containers", enablementTime="2026-02-03T00:00:00Z"), f"{PLACE}/pricings.json"),
        az.document({"hello": "world"}, "other.json"),
        managed_cluster(),
        *of_state(
            said(*all_healthy(), seen=ago(days=3)),
            heard(posture=ago(days=2), snapshot=ago(days=2), healthy=ago(days=2), alert=ago(hours=5)),
            heard(subject="22222222-2222-2222-2222-222222222222", posture=ago(days=9), alert=ago(hours=1)),
            heard(
                CoverageSourceKind.CLUSTER,
                CLUSTER.lower(),
                posture=ago(minutes=7),
                real_alert=ago(days=40),
                alert=ago(days=4),
            ),
            heard(CoverageSourceKind.PLAN, SUBSCRIPTION, plan="Containers", posture=ago(days=8, minutes=1)),
            heard(CoverageSourceKind.OWNER, f"{ACTING}@contoso.example", alert=ago(days=6), real_alert=ago(days=60)),
            drill("failed", reason=ACTING, destinations=[{"name": ACTING, "verdict": "failed"}]),
        ),
        dated(az.document(managed_cluster(f"{CLUSTER}-live"), "clusters of Azure"), NOW),
    )
    others = {"stream (.state)": "the state .state"}
    return GateReport(result, ("bad.json: is empty",), False, None, others=others)


def test_the_page_says_all_in_words_and_nothing_on_it_acts() -> None:
    """Each state is a word, each workload a row, each gap with what was seen; what was not judged is there, too.

    It has no scripts, allows none, and shows the names that would be some.
    """
    page = render_page(report(), NOW)
    for state in (CoverageState.COVERED, CoverageState.GAP, CoverageState.UNKNOWN):
        assert re.search(rf">{state}(?:<br>|</td>)", page)
    for text in ("healthy", LONG, "status.numberReady", "other.json: not used", "bad.json: is empty", "&lt;script&gt;"):
        assert text in page
    assert "<script" not in page and "<img" not in page and "{{ 7 * 7 }}" in page
    assert "default-src &#x27;none&#x27;" in page or "default-src 'none'" in page


@pytest.mark.skipif(find_browser() is None, reason="needs Chromium, which draws the page")
def test_the_page_fits_a_screen() -> None:
    """Nothing is cut off at the side, nothing goes wrong, and no name has become a script. On a phone the tables scroll."""
    for width in (PHONE[0], 1280):
        (shown,) = show(render_page(report(), NOW), width=width)
        assert shown.problems == []
        assert "healthy" in shown.text
    assert shown.width == 1280


def rows_on(page: str) -> str:
    """The rows of each section's table as people read them, with a bar between two cells."""
    lines = []
    for section in page.split("<section>")[1:]:
        found = [
            f"<b>{section.partition('<h2>')[2].partition('</h2>')[0]}</b>",
            *re.findall(r"<tr>(.*?)</tr>", section),
        ]
        lines += [unescape(re.sub(r"<[^>]+>", "", re.sub(r"</t[dh]><t[dh]", " | <td", one))) for one in found]
    return "\n".join(lines)


def test_the_page_says_what_each_cell_rests_on_and_how_old_that_is(transcript: Transcript) -> None:
    """By its oldest evidence; an answer of just now, what a message said, and a file of which nobody knows its age.

    It says when each source was last heard of, with its allowed silence, which no alert ends. Whether silence of a plan says
    anything depends on what its subscription's snapshots bring.
    """
    page = render_page(report(), NOW)
    transcript.notes("page", rows_on(page))
    assert page.count("No age stands beside a file that does not say when it was printed.") == 1
    assert "no time said" not in page
    assert '<time datetime="2026-11-22T12:00:00Z" title="2026-11-22T12:00:00Z">3 days ago</time>' in page
    without = render_page(GateReport(az.judged(managed_cluster()), (), False, None), NOW)
    assert "last heard of" not in without and "last alert" not in without and "Drills" not in without


def test_evidence_is_a_sentence() -> None:
    """Also of a list, of which what it holds is said."""
    for evidence, line in (
        (("ds.json", "items", "no DaemonSet of Defender"), "ds.json: its items hold no DaemonSet of Defender"),
        (("nodes.json", "items", ""), "nodes.json: its items are not there"),
        (("a.json", "spec.x", "1", "2026-11-20T00:00:00Z"), "a.json: spec.x is 1 at 2026-11-20T00:00:00Z"),
    ):
        assert evidence_line(CoverageEvidence(*evidence), NOW) == line


def test_it_is_written_whatever_is_missing(house: House) -> None:
    """It is a picture and no gate; an older one is written over, and what cannot be written is named."""
    house.writes("dark.json", json.dumps(kubectl(*sensor(ready=0), *nodes())))
    for _ in range(2):
        done = house.says("coverage", "report", "--out", "page.html", "dark.json")
        assert done.code == 0
        assert done.out.endswith("page  page.html\n")
    done = house.says("coverage", "report", "--out", "no/such.html", "dark.json")
    assert done.complaint == "no/such.html: the page cannot be written there: No such file or directory"

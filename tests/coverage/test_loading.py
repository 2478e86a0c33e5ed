"""What coverage.yaml means; what is said of its mistakes stands in bad/coverage."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from router.coverage.expected.loading import CoverageFile, read_coverage
from router.coverage.expected.manifest import NO_MANIFEST, CoverageManifest, Expectation, WorkloadSelector
from router.coverage.verdicts import CoverageException
from router.domain.coverage import Rung, WorkloadKind
from router.domain.severity import Severity
from tests.rulebook.builders import NOW, a_sound_rulebook

HUB = "/subscriptions/S/resourceGroups/rg/providers/Microsoft.EventHub/namespaces/ns/eventhubs/cwpp"


def written(directory: Path, text: str, now: datetime = NOW) -> CoverageFile:
    """What a coverage.yaml of that text says."""
    (directory / "coverage.yaml").write_text(text, encoding="utf-8")
    return read_coverage(directory, now)


def manifest(directory: Path, text: str) -> CoverageManifest:
    """The manifest of a text without a problem."""
    found = written(directory, text)
    assert found.manifest is not None, list(map(str, found.problems))
    return found.manifest


def test_without_a_file_whatever_is_there_is_expected(tmp_path: Path) -> None:
    """And nobody is told that it is missing. Who excuses something takes no expectation away.

    A date is its first instant in UTC: from the end on it must be covered, on that day, and not only after it.
    """
    assert read_coverage(tmp_path, NOW) == CoverageFile(manifest=NO_MANIFEST)
    found = manifest(tmp_path, "exceptions:\n  - {name: a, owner: b, reason: c, ends: 2027-01-31}")
    assert (found.expectations, found.is_given, NO_MANIFEST.is_given) == (NO_MANIFEST.expectations, True, False)
    assert [one.exception.ends for one in found.excuses] == [datetime(2027, 1, 31, tzinfo=UTC)]


def test_every_key_has_its_meaning(tmp_path: Path) -> None:
    """A whole manifest, with all that may stand in it."""
    found = manifest(
        tmp_path,
        f"""
$schema: ../.schemas/coverage.schema.json
export: {{alerts: {HUB}, posture: {HUB}-posture, severities: [High, Medium]}}
posture: true
expect:
  - kind: [cluster, machine]
    name: ["aks-*", "web-?"]
    subscription: "11111111-*"
    rungs: [plan, sensor-running]
    plans: {{Containers: any, virtualmachines: p2}}
    extensions: [containersensor, Another]
  - {{kind: machine, name: /subscriptions/S/x/}}
exceptions:
  - {{kind: cluster, name: aks-lab, rungs: plan, owner: a@b.example, reason: rebuilt, ends: "2027-01-31T10:00:00+02:00"}}
""",
    )
    first, second = found.expectations
    assert first == Expectation(
        selects=WorkloadSelector(
            kinds=frozenset({WorkloadKind.CLUSTER, WorkloadKind.MACHINE}),
            names=("aks-*", "web-?"),
            subscriptions=("11111111-*",),
        ),
        rungs=frozenset({Rung.PLAN, Rung.SENSOR_RUNNING}),
        plans={"Containers": None, "VirtualMachines": "P2"},
        extensions=frozenset({"ContainerSensor", "Another"}),
        number=1,
    )
    assert second.selects.names == ("/subscriptions/S/x",), "Azure writes ids without a slash at the end"
    (excuse,) = found.excuses
    ends = datetime(2027, 1, 31, 8, tzinfo=UTC)
    assert excuse.exception == CoverageException(owner="a@b.example", reason="rebuilt", ends=ends)
    assert excuse.rungs == {Rung.PLAN}
    assert excuse.number == 1
    assert found.export is not None
    assert (found.export.alerts, found.export.posture) == (HUB, f"{HUB}-posture")
    assert found.export.severities == {Severity.HIGH, Severity.MEDIUM}
    assert found.expects_posture


def test_an_exception_ends_within_a_year(tmp_path: Path) -> None:
    """Both sides of both boundaries. A problem stops the manifest and a warning does not.

    A gate that knows half of what is expected would pass what nobody expects.
    """
    assert written(tmp_path, "expect: [{kind: cluster, rungs: [path]}]").manifest is None
    year = timedelta(days=366)
    for after, codes in (
        (0, ["ended"]),
        (1, []),
        (year.total_seconds(), []),
        (year.total_seconds() + 1, ["end-too-far"]),
    ):
        ends = (NOW + timedelta(seconds=after)).isoformat()
        found = written(tmp_path, f"exceptions: [{{owner: b, reason: c, ends: {ends}}}]")
        assert [problem.code for problem in found.problems] == codes
        assert found.manifest is not None or codes == ["end-too-far"]


def test_a_manifest_is_no_part_of_the_rules_of_a_stream(tmp_path: Path) -> None:
    """What is expected of Defender changes no decision, so the hash of the rules stays, whatever stands there."""
    before = a_sound_rulebook(tmp_path).hash
    assert a_sound_rulebook(tmp_path, {"coverage.yaml": "expect: [{kind: cluster}]"}).hash == before
    assert a_sound_rulebook(tmp_path, {"coverage.yaml": "expect: {"}).hash == before


def test_a_manifest_that_is_a_directory_is_a_problem(tmp_path: Path) -> None:
    """Nobody may take it for a manifest that is not there."""
    (tmp_path / "coverage.yaml").mkdir()
    found = read_coverage(tmp_path, NOW)
    assert found.manifest is None
    assert [problem.code for problem in found.problems] == ["unreadable"]


def test_how_long_a_source_may_be_silent(tmp_path: Path) -> None:
    """As its entry says, else as the top says, else 8 days."""
    entries = "expect:\n  - {kind: cluster, heard_within: 36h}\n  - {kind: subscription}\n"

    def within(text: str) -> list[timedelta]:
        return [one.heard_within for one in manifest(tmp_path, text).expectations]

    assert within(entries) == [timedelta(hours=36), timedelta(days=8)]
    assert within(f"heard_within: 30d\n{entries}") == [timedelta(hours=36), timedelta(days=30)]
    assert within("heard_within: 30d") == [timedelta(days=30)]
    assert within("posture: true") == [timedelta(days=8)]

"""What a notice says of a signal: texts without HTML and with placeholders filled, links, the facts of findings."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide import decide, notice_for
from router.decide.markup import MOST_LINES, lines_of, links_in, plain_text
from router.decide.prose import LONGEST, LONGEST_LINK, MOST, MOST_LINKS, filled, key_of, prose_of
from router.domain.evidence import BOILERPLATE, Evidence
from router.domain.notices import Notice
from router.domain.posture import Risk
from router.domain.rulebook import By, Grouping
from router.domain.severity import Severity
from router.domain.signals import Alert, Finding, Link, Quarantined
from router.ingest.grouping.grouping_keys import common_values_of
from router.parse import evidence_of
from router.rulebook import load_catalogue
from tests.builders import NOW, a_rulebook
from tests.constructed.posture import a_machine_vulnerability, an_exposure_path, an_image_vulnerability
from tests.parse import messages
from tests.parse.test_samples import read_rest_examples, rest_bodies, table_rows

PAGE = {"Href": "https://a.example/r.pdf", "Category": "threat_reports", "Label": "Report: GOLD", "Type": "webLink"}


def the_notice_of(signal: Alert | Finding) -> Notice:
    """The notice of a signal under rules that route it."""
    book = a_rulebook(stream=signal.stream)
    return notice_for(signal, evidence_of(signal, book.catalogue), decide(signal, book, NOW), book, "key", 1)


def links_of(*links: object) -> tuple[Link, ...]:
    """The links of the notice of an alert with some extended links."""
    return notice_with(ExtendedLinks=list(links)).links


def notice_with(**fields: object) -> Notice:
    """The notice of a flat alert with something else in it."""
    return the_notice_of(messages.read_alert(messages.a_flat_alert(**fields)))


def test_texts_are_told_with_what_their_placeholders_stand_for() -> None:
    """In title, description and remediation: of properties, the compromised entity, and entities of which there is one."""
    notice = notice_with(
        AlertDisplayName="%{process name} ran",
        Description="<P>On {Compromised Host} %{User Name} ran '%{Process Name}' from %{Attacker IP}: {}.</P>",
        RemediationSteps=["Ask %{user name}.<br>Scan %{Machine Name}.", "N/A"],
        ExtendedProperties={"Process Name": "c:\\<b>x</b>.exe", "User Name": "ada"},
        Entities=[{"$id": "4", "HostName": "web-01", "DnsDomain": "shop.example", "Type": "host"}],
    )
    assert notice.title == "c:\\<b>x</b>.exe ran"
    assert notice.description == "On web-01 ada ran 'c:\\<b>x</b>.exe' from [Attacker IP]: {}."
    assert notice.remediation == ("Ask ada.", "Scan web-01.shop.example.")


def test_a_text_is_filled_with_names_and_not_with_what_is_known_beside() -> None:
    """A process fills in as its command line, an account as its name; of several nobody knows which one is meant; a
    compromised entity that is an id is told by its name."""
    account = {"$id": "1", "Type": "account", "Name": "ada", "Sid": "S-1-5-18"}
    file = {"$id": "2", "Type": "file", "Directory": "/opt", "Name": "x"}
    process = {"Type": "process", "CommandLine": "x -t", "ProcessId": "7", "Account": {"$ref": "1"}}
    entities = [account, file, process | {"ImageFile": {"$ref": "2"}}]
    notice = notice_with(
        Description="%{user}: %{command line}", Entities=entities, ExtendedProperties={"User SID": "S-1-5-18"}
    )
    assert notice.evidence.processes == ("/opt/x: x -t (7), by ada",)
    assert notice.description == "ada: x -t"
    hosts = [{"$id": str(number), "HostName": f"web-{number}", "Type": "host"} for number in range(2)]
    assert notice_with(Description="%{Host Name}", CompromisedEntity=None, Entities=hosts).description == "[Host Name]"
    named = notice_with(Description="%{Compromised Host}", CompromisedEntity=messages.MACHINE, Entities=[])
    assert named.description == "web-01"


def test_investigation_steps_stand_with_what_to_do() -> None:
    """They come before the steps of the message itself, line by line, and are no property among others."""
    extended = {"Investigation steps": "• Confirm it.\n• See <b>the log</b>.", "potential causes": "A user did it."}
    notice = notice_with(RemediationSteps=["Limit access."], ExtendedProperties=extended)
    assert notice.remediation == ("• Confirm it.", "• See the log.", "Limit access.")
    assert load_catalogue().properties.find_list("investigation steps", "x") == BOILERPLATE


def test_extended_links_are_kept_once() -> None:
    """Whatever the case of their fields; null, blank and other schemes are none, and the page of the alert is not another."""
    lower = {name.lower(): value for name, value in PAGE.items()}
    link = Link(text="Report: GOLD", url="https://a.example/r.pdf")
    assert links_of(PAGE, lower, PAGE | {"Label": "Again"}) == (link,)
    for url in (None, "http://a.example/", "a b", "https://portal.azure.com/#blade/alert"):
        assert links_of(None, 7, {}, PAGE | {"Href": url}) == (), url
    assert links_of(PAGE | {"Label": ""})[0].text == "threat_reports"
    assert links_of({"Href": "https://a.example/"}) == (Link(text="https://a.example/", url="https://a.example/"),)
    for message in (
        messages.a_table_row(ExtendedLinks=json.dumps([PAGE])),
        messages.an_arm_alert(extendedLinks=[PAGE]),
    ):
        assert the_notice_of(messages.read_alert(message)).links == (link,)
    assert the_notice_of(messages.read_alert(messages.a_table_row(ExtendedLinks=""))).links == ()


def test_links_are_whole_and_not_too_many() -> None:
    """Half a link leads nowhere. Reports are those of an enrichment; another property may be an attacker's."""
    url = "https://a.example/"
    assert links_of(PAGE | {"Href": url.ljust(LONGEST_LINK + 1, "x")}) == ()
    many = links_of(*({"Href": f"{url}{number}", "Label": "x" * 999} for number in range(MOST_LINKS + 5)))
    assert (len(many), len(many[0].text)) == (MOST_LINKS, 200)
    reports = json.dumps({"Kind": "MultiLink", "DisplayValueToUrlDictionary": {"Report: GOLD": "https://a.example/g"}})
    enriched = notice_with(ExtendedProperties={"enrichment_tas_threat__reports": reports, "Command": reports})
    assert enriched.links == (Link(text="Report: GOLD", url="https://a.example/g"),)
    assert notice_with(ExtendedProperties={"Command": reports}).links == ()


def test_the_notice_of_a_finding_has_its_facts() -> None:
    """Also those of a vulnerability as they were grouped, under the names that individual recommendations have."""
    state = {"code": "Unhealthy", "description": "It was found<br>in a scan."}
    notice = the_notice_of(messages.read_finding(an_image_vulnerability(status=state)))
    assert notice.package is not None
    assert notice.image is not None
    assert (notice.package.name, notice.image.registry) == ("libexample", "shop.azurecr.example")
    assert (notice.cves, notice.has_more_cves, notice.cvss) == (("CVE-2026-00101",), False, "9.1 (CVSS 3.1)")
    assert notice.impact == "Remote code execution in the container."
    assert notice.status_description == "It was found\nin a scan."
    assert the_notice_of(messages.read_finding(a_machine_vulnerability())).has_fix is True
    status = {"code": "Unhealthy", "firstEvaluationDate": "2026-11-02T04:11:10Z"}
    said = {"userImpact": "High", "implementationEffort": "Low", "threats": ["DataSpillage"]}
    notice = the_notice_of(messages.read_finding(messages.an_assessment(status=status, metadata=said)))
    assert (notice.user_impact, notice.effort, notice.threats) == ("High", "Low", ("DataSpillage",))
    assert notice.started == "2026-11-02T04:11:10Z"


def test_the_notice_of_an_attack_path_has_both_ends_and_its_risk() -> None:
    """Its severity is the level of its risk, which was found out for this very path."""
    notice = the_notice_of(messages.read_finding(an_exposure_path()))
    assert (notice.entry_points, notice.targets) == (("vm-entry",), ("kv-target",))
    factors = ("Internet exposure", "Weak authorization")
    assert notice.risk == Risk(level=Severity.HIGH, written="High", factors=factors, is_contextual=True)


def test_findings_that_are_no_individual_recommendations_are_grouped_as_ever() -> None:
    """By their titles, and by nothing where they have none: a group that stands open gets whoever joined it before."""
    for message in (an_image_vulnerability(), an_exposure_path()):
        notice = the_notice_of(messages.read_finding(message))
        for by in (By.PACKAGE, By.CVE, By.RISK):
            values = common_values_of(notice, Grouping((by,), NOW - NOW))
            assert values == (((by.value, notice.title),) if by is By.PACKAGE else ())


LINKS = st.lists(st.dictionaries(st.just("Href"), st.text()))


@given(st.text(), st.lists(st.text()), st.dictionaries(st.text(), st.text()), LINKS)
def test_whatever_an_alert_says_is_told(
    text: str, steps: list[str], properties: dict[str, Any], links: list[Any]
) -> None:
    """Nothing raises."""
    said = {"RemediationSteps": steps, "ExtendedProperties": properties, "ExtendedLinks": links}
    notice_with(AlertDisplayName=text, Description=text, **said)


@pytest.mark.shared
def test_the_placeholder_of_a_real_alert_is_filled() -> None:
    """Microsoft's example of 2019 says `%{process name}`; its steps have numbers, and its report is a link."""
    alerts = [alert for alert in read_rest_examples("Alerts") if isinstance(alert, Alert) and "%{" in alert.description]
    assert alerts
    for alert in alerts:
        prose = prose_of(alert, Evidence())
        assert prose.description.startswith("The process ‘c:\\users\\contosoUser\\scrsave.scr’ was observed")
        assert prose.remediation[0].startswith("1. Run Process Explorer")
        assert len(prose.remediation) == 6
        assert [link.text for link in prose.links] == ["Report: Suspicious Screen Saver Execution"]


@pytest.mark.shared
def test_the_remediation_of_real_recommendations_has_no_markup() -> None:
    """Microsoft's own texts: a link in HTML, and steps that are numbered in one line."""
    bodies = [body["properties"] for family, body in rest_bodies() if family == "AssessmentsMetadata"]
    texts = {said["remediationDescription"] for said in bodies if "remediationDescription" in said}
    told = [lines_of([text]) for text in sorted(texts)]
    assert told[0] == ("Fix it with these remediation instructions",)
    page = "https://docs.microsoft.com/azure/virtual-machine-scale-sets/virtual-machine-scale-sets-faq"
    question = "How do I turn on antimalware in my virtual machine scale set"
    link = f"{question} ({page}#{question.lower().replace(' ', '-')})"
    assert told[1] == (f"To install an endpoint protection solution: 1. Follow the instructions in {link}",)
    assert told[2][1:3] == ("To restrict the access to your virtual machines:", "1. Click on a VM from the list below")
    assert [line[:2] for line in told[2][2:]] == ["1.", "2.", "3.", "4."]


@pytest.mark.shared
def test_links_of_a_real_table_are_kept_whole() -> None:
    """46 rows of the exported table have links to reports, all of which lead to a page; no text loses anything."""
    signals = [signal for row in table_rows() if not isinstance(signal := messages.read_one(row), Quarantined)]
    told = [(signal, prose_of(signal, evidence_of(signal, messages.CATALOGUE))) for signal in signals]
    assert all((prose.title, prose.description) == (signal.title, signal.description) for signal, prose in told)
    linked = [prose.links for _, prose in told if prose.links]
    assert len(linked) == 46
    assert all(link.text.startswith("Report: ") and "sig=" in link.url for some in linked for link in some)


_PIECES = st.sampled_from(
    ["<", ">", "</", "<a href=", "<a href='https://a/'>", "</a>", "<ol>", "</ol>", "<li>", "<br/>", "<p>", "&lt;", "&#x202e;",
     "&#xd800;", '"', "'", " ", "\n", "words", "<b>", "</b>", "<script>", "&", "href="]
)  # fmt: skip

HTML = [
    ("one<br>two<BR/>three<br />four", "one\ntwo\nthree\nfour"),
    ("<P>One.</P><p class='x'>Two.</p>", "One.\nTwo."),
    ("Fix:<ol><li>Open.</li><li>Close.</li></ol>Then <ul><li>rest</ul>", "Fix:\n1. Open.\n2. Close.\nThen\n- rest"),
    ('See <A HREF="https://a.example/?x=1&amp;y=2">the page</A>.', "See the page (https://a.example/?x=1&y=2)."),
    ("See <a target=_blank href=https://a.example/>the page</a>", "See the page (https://a.example/)"),
    ('<a href="https://a.example/">https://a.example/</a>', "https://a.example/"),
    ('<a href="https://a.example/"></a>', "https://a.example/"),
    ('<a href="https://a.example/">one<a href="https://b.example/">two</a>', "one (https://a.example/)two (https://b.example/)"),
    ('<a href="javascript:alert(1)">words</a>', "words"),
    ('<a href="https://a.example/ and more">words</a>', "words"),
    ("Select <b>Save</b> &amp; <strong>close</strong>&nbsp;it.<br>", "Select Save & close it."),
    ("a &lt;b&gt; stays<br>", "a <b> stays"),
    ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
]  # fmt: skip


def test_html_becomes_lines_and_what_is_none_stays() -> None:
    """Blocks end lines, lists have their bullets, and a link is its words with its whole address. A command line that a
    text quotes may have angle brackets, and words in them. Of characters by name only a few are read: `&word` may be an
    argument."""
    for text in (
        "It ran 'sort < in > out' on web-01.",
        "It ran 'cmd /c copy <a> <b>' there.",
        "mshta about:<script>run()</script>",
        "a && b & c; d &amp e &copy=1",
        "<https://a.example/>",
        "",
    ):
        assert plain_text(text) == text
    assert plain_text("don&#39;t &quot;x&quot; &amp; &sum;") == 'don\'t "x" & &sum;'
    assert [(text, plain_text(text)) for text, _ in HTML] == HTML


@given(st.lists(_PIECES).map("".join))
def test_any_text_becomes_one_that_can_be_kept(text: str) -> None:
    """Nothing raises, and what comes out is not much longer and can be written in UTF-8."""
    plain = plain_text(text)
    assert len(plain.encode()) <= 3 * len(text.encode()) + 10


KNOWN = {"processpath": "c:\\x.exe", "compromisedhost": "web-01", "home": "/root", "a": "%{Process Path}", "no": " "}
FILLED = [
    ("It ran %{Process Path}.", "It ran c:\\x.exe."),
    ("It ran %{process path} and {Process-Path}.", "It ran c:\\x.exe and c:\\x.exe."),
    ("{Compromised Host} was reached", "web-01 was reached"),
    ("%{Attacker IP} reached {Nobody}", "[Attacker IP] reached {Nobody}"),
    ("%{No} and {No}", "[No] and {No}"),
    ("%{A}", "%{Process Path}"),
]


def test_placeholders_are_filled() -> None:
    """Names are compared by letters and digits; what is not known stays readable, and what is filled in is final and
    bounded. JSON, variables of a shell and formats of programs are no placeholders."""
    assert [(text, filled(text, KNOWN.get)) for text, _ in FILLED] == FILLED
    for text in (
        "echo ${HOME} {} {1} { home }",
        'POST {"home": "x"} {"a": {"b": 1}}',
        "curl -w '%{http_code}' {{home}}",
        "gc x | %{ iex $_ }",
        "cp x{home,away} %{",
        "%{} {",
    ):
        assert filled(text, KNOWN.get) == text
    assert key_of("Client IP-Address (v4)") == key_of("client_ip address V4") == "clientipaddressv4"
    assert filled("{a}", {"a": "x" * 1_000}.get) == "x" * (LONGEST - 1) + "…"
    assert filled("{a}", {"a": "one\r\n two"}.get) == "one two"
    assert filled("{a}" * 1_000, {"a": "xy"}.get) == "xy" * MOST + "{a}" * (1_000 - MOST)


@given(st.text(alphabet='%{}a $\\"\n'), st.dictionaries(st.text(alphabet="a", min_size=1), st.text()))
def test_any_text_is_filled(text: str, known: Mapping[str, str]) -> None:
    """Nothing raises, and no more is added than may be filled in."""
    assert len(filled(text, known.get)) <= len(text) + MOST * LONGEST


BLADE = {
    "kind": "openBlade",
    "displayValue": "Enforce rule",
    "extension": "Microsoft_Azure_Security_R3",
    "detailBlade": "AdaptiveNetworkControlsResourceBlade",
    "detailBladeInputs": "protectedResourceId=/subscriptions/0/resourcegroups/rg",
}
"""As Defender writes a link into its portal."""

REPORTS = {"Kind": "MultiLink", "DisplayValueToUrlDictionary": {"Report: GOLD": "https://a.example/gold", "None": 7}}

STEPS: list[tuple[str, tuple[str, ...]]] = [
    (json.dumps(BLADE), ("Enforce rule",)),
    (json.dumps(BLADE | {"displayValue": " "}), ()),
    ('{"kind": "OpenBlade"}', ()),
    ('{"displayValue": "Read", "kind": "link", "value": "https://a.example/"}', ("Read (https://a.example/)",)),
    ('{"DisplayValue": "", "Kind": "link", "Url": "https://a.example/"}', ("https://a.example/",)),
    ('{"displayValue": "Read on", "kind": "link", "value": "javascript:x"}', ("Read on",)),
    (json.dumps([BLADE, "Then <b>rest</b>."]), ("Enforce rule", "Then rest.")),
    (json.dumps(REPORTS), ("Report: GOLD (https://a.example/gold)",)),
    ('{"a": [1,  2]}', ('{"a": [1, 2]}',)),
    ("[]", ()),
    ('{"displayValue": ', ('{"displayValue":',)),
    ('{"kind": "openBlade", "displayValue": "\\ud800x"}', ("?x",)),
    (
        "To close it: 1. Open it. 2. At the 'Networking' blade, choose 22 3. Save",
        ("To close it:", "1. Open it.", "2. At the 'Networking' blade, choose 22", "3. Save"),
    ),
    ("Update to 1. 3. or later", ("Update to 1. 3. or later",)),
    ("## Do this\n**Now**: see [it](https://a.example/x).", ("Do this", "Now: see it (https://a.example/x).")),
    (
        'Install it: 1.  <a href="https://docs.example/faq#how">Follow the instructions</a>',
        ("Install it: 1. Follow the instructions (https://docs.example/faq#how)",),
    ),
]


def test_what_to_do_becomes_lines() -> None:
    """Line by line, numbered steps each on a line of its own, without signs of Markdown. A link as JSON is its words and its
    address; one into the portal has words only, and JSON that is no link stays what it is."""
    assert [(step, lines_of([step])) for step, _ in STEPS] == STEPS
    for step in ("N/A", " n/a. ", "None", "-", "", "<p></p>", "null", "Not applicable"):
        assert lines_of([step, "Close it."]) == ("Close it.",), step
    lines = lines_of(["\n".join(f"step {number}" for number in range(1_000))])
    assert (len(lines), lines[-1].count("\n")) == (MOST_LINES, 1_000 - MOST_LINES)
    assert links_in(json.dumps(REPORTS)) == [Link(text="Report: GOLD", url="https://a.example/gold")]
    assert links_in(json.dumps(BLADE)) == links_in("https://a.example/") == links_in("[1]") == []


_JSON = st.recursive(
    st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(st.lists(st.text() | _JSON.map(json.dumps)))
def test_any_steps_become_lines(steps: list[str]) -> None:
    """None is blank, and all can be kept."""
    assert all(line.strip() and line.encode() for line in lines_of(steps))


def test_a_long_text_is_read_as_fast_as_any() -> None:
    """However deep it nests; what is quadratic would take this test minutes."""
    for piece in (
        "<", "<a ", "<a href='", "<a href=https://a/>", "<ol>", "<ol><li>", "<p>", "</ol>", "&", "&#", "<b>", "<b></b>",
        "<!--", "<a href=' href=\"", "href ", "<br", "<br >",
    ):  # fmt: skip
        text = piece * (200_000 // len(piece))
        assert len(plain_text(text)) <= 3 * len(text), piece
    for piece in ("%{", "{", "{a", "{a}", "%{a b", "}"):
        text = piece * (200_000 // len(piece))
        assert len(filled(text, {"a": "x" * 1_000}.get)) <= len(text) + MOST * LONGEST, piece
    for piece in ("[", '{"a":', "**", "[x](https://", "# ", "1. x ", "\n", "<li>", '[{"displayValue":"x"},'):
        text = piece * (200_000 // len(piece))
        assert sum(map(len, lines_of([text]))) <= 3 * len(text), piece

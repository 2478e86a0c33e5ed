"""docs/destinations.md and the page of each kind say what it does, and their snippets run."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from router.destinations import (
    discover,
    email,
    file,
    jira,
    jira_document,
    jsm_ops,
    log_analytics,
    pagerduty,
    servicenow,
    servicenow_events,
    slack,
    splunk_hec,
    teams,
    webhook,
)
from router.destinations.config import OneByOneConfig
from router.destinations.log_analytics import log_tables
from router.destinations.wording import chat_text, ocsf
from router.destinations.wording.fitting import MARK
from router.destinations.wording.masking import MASK, masked
from router.domain.conversation import HttpRequest
from router.domain.decisions import Change
from tests.destinations.builders import NOW, a_destination, a_notice, a_secret, an_attempt, secret_names_in
from tests.destinations.conversations import converse, replied
from tests.docs.pages import Page, column, page, pairs, spans

PAGE = page("docs/destinations.md")
KINDS = discover()


def of_kind(kind: str) -> Page:
    """The page of a kind."""
    return page(f"docs/destinations/{kind}.md")


def test_every_kind_is_listed_with_its_lane_and_how_it_deduplicates() -> None:
    """As it declares them, with a link to its page, and what it does of each change."""
    table, changes = PAGE.tables("The kinds")[:2]
    heads = ("lane", "deduplicates", "batch")
    told = {spans(row["kind"])[0]: tuple(row[head].strip("`") for head in heads) for row in table}
    assert told == {name: (kind.lane, kind.deduplicates, str(kind.batch)) for name, kind in KINDS.items()}
    assert column(changes, "kind") == list(KINDS)
    assert [row["kind"].partition("](")[2] for row in table] == [f"destinations/{name}.md)" for name in KINDS]
    assert {change.value for change in Change} <= set(changes[0])


LIMITS = {
    "pagerduty": f"summary {pagerduty.SUMMARY_LIMIT:,} characters; source {pagerduty.SOURCE_LIMIT:,} characters; "
    f"event {pagerduty.EVENT_LIMIT:,} bytes",
    "servicenow": f"short_description {servicenow.SHORT_LIMIT:,} characters; "
    f"description, work_notes, each of `fields` {servicenow.TEXT_LIMIT:,} characters",
    "log_analytics": f"field {log_analytics.FIELD_LIMIT:,} bytes; call {log_analytics.CALL_LIMIT:,} bytes",
    "webhook": f"body {webhook.BODY_LIMIT:,} bytes",
    "file": "nothing is cut",
    "jsm_ops": f"message {jsm_ops.MESSAGE_LIMIT:,} characters; entity {jsm_ops.ENTITY_LIMIT:,} characters; "
    f"description, note {jsm_ops.DESCRIPTION_LIMIT:,} characters; "
    f"details, names and values together {jsm_ops.DETAILS_LIMIT:,} characters; "
    f"tags {jsm_ops.TAGS_LIMIT} of {jsm_ops.TAG_LIMIT} characters",
    "jira": f"summary, each text of `fields` {jira.FIELD_LIMIT:,} characters; "
    f"label {jira.LABEL_LIMIT:,} characters; description, comment {jira_document.RICH_LIMIT:,} bytes",
    "email": f"subject {email.SUBJECT_LIMIT:,} characters; text {email.TEXT_LIMIT:,} characters; "
    f"page {email.PAGE_LIMIT:,} bytes",
    "slack": f"header {slack.HEADER_LIMIT:,} characters; "
    f"message {chat_text.LINES} lines of {chat_text.WIDTH} characters; links {chat_text.LINKS}",
    "teams": f"card {chat_text.LINES} lines of {chat_text.WIDTH} characters; links {chat_text.LINKS}; "
    f"message {teams.BODY_LIMIT:,} bytes",
    "servicenow_events": f"source, node, resource, type, metric_name, event_class {servicenow_events.NAME_LIMIT:,} characters; "
    f"description {servicenow_events.TEXT_LIMIT:,} characters; "
    f"additional_info {servicenow_events.INFO_LIMIT:,} characters (its `cut` names what has no room); "
    f"each value of additional_info {servicenow_events.VALUE_LIMIT:,} characters",
    "splunk_hec": f"event {splunk_hec.EVENT_LIMIT:,} bytes; request {splunk_hec.REQUEST_LIMIT:,} bytes",
}
"""What each kind cuts, and where, in the words of the page."""


def test_the_limits_are_those_that_are_kept() -> None:
    """What is cut is cut where the page says, with the mark that the page shows."""
    rows = {spans(row["kind"])[0]: row["at most"] for row in PAGE.tables("The kinds")[2]}
    assert (rows | LIMITS, set(rows)) == (rows, set(KINDS))
    assert f"`{MARK}`" in PAGE.prose
    assert "Truncated: nothing" in (file.__doc__ or "")


_EXAMPLES = "such as, with X for the credential"


def test_the_credentials_of_the_page_are_masked() -> None:
    """Each example of a form is masked where its value stands."""
    examples = [span for row in PAGE.table("Credentials", "what") for span in spans(row[_EXAMPLES]) if "X" in span]
    assert len(examples) > 12
    for example in examples:
        shown = masked(example.replace("X", "tr0ub4dor-and-31-more-x"))
        assert MASK in shown, (example, shown)
        assert "tr0ub4dor" not in shown, (example, shown)


def test_the_keys_of_a_config_are_listed(subtests: pytest.Subtests) -> None:
    """Each kind's keys are on its page, and those that it cannot do without are marked."""
    shared = {"kind", *OneByOneConfig.model_fields}
    for kind, found in KINDS.items():
        with subtests.test(kind):
            known = found.Config.model_fields.items()
            fields = {field.alias or name: field for name, field in known if name not in shared}
            paper = of_kind(kind)
            table = paper.table(paper.title, "key")
            assert column(table, "key") == list(fields)
            for name, absent in pairs(table, "key", "if absent").items():
                assert (absent == "a problem") is fields[name].is_required()
                assert not isinstance(fields[name].default, str) or absent == f"`{fields[name].default}`"


def test_the_severities_are_those_that_are_sent() -> None:
    """Each column of the one table is what its kind sends; what is not known is as loud as Critical."""
    loudest = {"Critical": ("1", "1"), "unknown": ("1", "1")}
    sent = {
        "`pagerduty`": pagerduty.SEVERITIES | {"unknown": "critical"},
        "`jsm_ops`": jsm_ops.PRIORITIES | {"unknown": "P1"},
        "`jira`": {level.replace("Unknown", "unknown"): name for level, name in jira.PRIORITIES.items()},
        "`servicenow` impact, urgency": {k: ", ".join(v) for k, v in (servicenow.WEIGHTS | loudest).items()},
        "`sn_si_incident` priority": servicenow.PRIORITIES | {"Critical": "1", "unknown": "1"},
        "`servicenow_events`": servicenow_events.SEVERITIES | {"unknown": "1"},
        "`teams`": teams.COLOURS | {"unknown": "Attention"},
        "OCSF `severity_id`": {k: str(v) for k, v in ocsf.names()["severities"].items()},
    }
    rows = PAGE.table("Severities", "Defender")
    assert {
        column: {row["Defender"]: row[column] for row in rows} for column in rows[0] if column != "Defender"
    } == sent
    for kind, words in (("pagerduty", '"severity":"critical"'), ("servicenow", '"impact":"1","urgency":"1"')):
        secrets = secret_names_in(KINDS[kind].Config.model_json_schema()["examples"][0])
        attempt = an_attempt(a_notice(severity=None), secrets=secrets)
        asks, _ = converse(a_destination(kind), [attempt], lambda ask: replied(200, {"result": []}))
        assert isinstance(asks[-1], HttpRequest)
        assert words in asks[-1].body.decode()


def test_columns_of_the_routers_own_are_not_for_fields() -> None:
    """The four columns that the page calls the router's own are refused in `fields`."""
    assert "`correlation_id`, `sys_id`, `number` and `active` are its own" in of_kind("servicenow").prose
    config = KINDS["servicenow"].Config
    for name in ("correlation_id", "sys_id", "number", "active"):
        with pytest.raises(ValidationError, match="needs this column for itself"):
            config.model_validate(config.model_json_schema()["examples"][0] | {"fields": {name: "1"}})


def test_the_stream_declarations_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """The snippet prints a declaration of each table's stream, with all of its columns."""
    _run(of_kind("log_analytics").fence("streams.py"))
    declared = json.loads(capsys.readouterr().out)
    assert declared.keys() == {f"Custom-{name}" for name in log_tables()}
    for name, table in log_tables().items():
        columns = {one["name"]: one["type"] for one in declared[f"Custom-{name}"]["columns"]}
        assert columns == table.columns
        assert name in of_kind("log_analytics").prose


def test_the_page_verifies_what_the_webhook_signs() -> None:
    """The receiver's function takes a message by either secret, and none that is old, altered or signed by another."""
    is_genuine = _run(of_kind("webhook").fence("verify.py"))["is_genuine"]
    both = ["WEBHOOK_SECRET_NEXT", "WEBHOOK_SECRET"]
    destination = a_destination("webhook", secret=[{"secret": name} for name in both])
    (ask,), _ = converse(destination, [an_attempt(secrets=both)], lambda ask: replied(200))
    assert isinstance(ask, HttpRequest)
    now = NOW.timestamp()
    for name in both:
        assert is_genuine(ask.headers, ask.body, a_secret(name), now + 299)
    assert not is_genuine(ask.headers, ask.body, a_secret("ANOTHER"), now)
    assert not is_genuine(ask.headers, ask.body + b" ", a_secret(both[0]), now)
    assert not is_genuine(ask.headers, ask.body, a_secret(both[0]), now + 301)


def _run(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(code, "docs/destinations", "exec"), names)  # noqa: S102  Our own snippet, from our own page.
    return names

"""Golden files: what each kind sends, one file for each case, beside what the vendor answers.

A file is `{"exchange": [{"answer": ..., "ask": ...}, ...], "result": ...}`. The answers are written by hand; the rest is
written by `GOLDENS=write pytest tests/destinations/test_goldens.py`, to be read before it is committed.
What is special about the full notices of some cases stands in `examples.json` as the store keeps it. Every name is made up.
"""

import json
import os
import re
from collections.abc import Mapping
from copy import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from router.decide.rule_notices import EventKind, EventSubject, HeldNow, RuleEvent, notice_of
from router.domain.conversation import AppendLines, Ask, HttpAnswer, HttpRequest, LogRows, MailStep, Result, SendMail
from router.domain.counts import RuleHits
from router.domain.decisions import Change
from router.domain.deliveries import NO_BACKGROUND, Attempt, Background, Counterpart, Earlier, Receipt
from router.domain.notices import Group, NamedMember, Notice, Release
from router.domain.rulebook import Lane
from router.store.codec import decode, encode
from tests.destinations.builders import NOW, a_destination, a_group, a_notice, an_attempt, examples_of, secret_names_in
from tests.destinations.conversations import Answer, Respond, converse, mail_answered, read


def _stored(name: str) -> dict[str, Any]:
    told = json.loads(Path(__file__).with_name("examples.json").read_bytes())[name]
    notice = decode(Notice, json.dumps(json.loads(encode(a_notice())) | told).encode())
    return {field: getattr(notice, field) for field in told}


WORKLOAD: Mapping[str, Any] = _stored("workload")
PACKAGE: Mapping[str, Any] = _stored("package")
"""The latest finding of a group: five hundred machines have the package still, of which ten are named."""

_AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
_ENDED = RuleEvent(
    kind=EventKind.ENDED,
    subject=EventSubject.RULE,
    name="vuln-scanner-in-erp",
    at=_AT,
    person="ana@contoso.example",
    about="rules/cwpp/suppressions/vuln-scanner-in-erp.json",
    until=_AT,
    hits=RuleHits(1412, _AT - timedelta(days=90), _AT - timedelta(hours=2)),
    held=HeldNow(
        count=7,
        gravest=(
            NamedMember(
                key="", title="Suspicious process *executed* on a <b>machine</b>", severity="High", place="vm-erp-07"
            ),
            NamedMember(key="", title="Traffic from an address that scans", severity="Medium", place="vm-erp-07"),
            NamedMember(key="", title="Failed SSH brute force attack", severity="Medium", place="vm-erp-11"),
        ),
    ),
)
_SOON = replace(
    _ENDED,
    kind=EventKind.ENDS_SOON,
    name="nightly-backup",
    at=_AT + timedelta(days=14),
    until=_AT + timedelta(days=14),
    about="rules/cwpp/suppressions/nightly-backup.json",
    hits=None,
    held=HeldNow(count=0),
)
_NOTICE = notice_of((_ENDED, _SOON), "about:" + "c" * 32, "cwpp", _AT, None, "5f2d7c1e")
ANNOUNCED: Mapping[str, Any] = {
    name: getattr(_NOTICE, name) for name in _NOTICE.__struct_fields__ if name not in ("turn", "group")
}
"""A rule ended, and another one ends soon."""

ANNOUNCED_GROUP = _NOTICE.group


HERE = Path(__file__).with_name("golden")
_CANARY = re.compile(r"Y2FuYXJ5IG9m[\w+/=]*")
"""A dummy secret of `builders.a_secret`, as it stands in an address."""

IS_WRITING = os.environ.get("GOLDENS") == "write"


_BEFORE = Background(
    last=a_notice(severity="Medium", severity_written="Medium"), opened=NOW - timedelta(hours=3, minutes=12)
)
_ELSEWHERE = Background(
    elsewhere=(
        Counterpart(
            destination="oncall", lane=Lane.PAGE, reference="PD-77", link="https://contoso.pagerduty.example/77"
        ),
    ),
    earlier=Earlier(count=3, last=NOW - timedelta(days=2)),
)
_RELEASED = Release(
    kind="rule",
    name="known-scanner",
    author="ana@contoso.example",
    since="2026-11-21T08:00:00Z",
    ended="2026-11-24T12:00:00Z",
    messages=7,
)


class Case(NamedTuple):
    """A change, whether the receipt of the opening is known, and what is special about the notice and what is known beside."""

    name: str
    change: Change
    has_opening: bool
    group: Group | None = None
    background: Background = NO_BACKGROUND
    notice: Mapping[str, Any] = {}


# Each change once in the first three.
CASES = (
    Case("opened", Change.OPENED, False),
    Case("updated", Change.UPDATED, True, background=_BEFORE),
    Case("resolved", Change.RESOLVED, True, background=_BEFORE),
    Case("updated_without_opening", Change.UPDATED, False),
    Case("resolved_without_opening", Change.RESOLVED, False),
    Case("joined", Change.UPDATED, True, a_group(), _BEFORE),
    Case("released", Change.OPENED, False, background=_ELSEWHERE, notice={"release": _RELEASED}),
    Case("workload", Change.OPENED, False, background=_ELSEWHERE, notice=WORKLOAD),
    Case("package", Change.OPENED, False, notice=PACKAGE),
    Case("announced", Change.OPENED, False, ANNOUNCED_GROUP, notice=ANNOUNCED),
)


def exchange_of(kind: str, case: str) -> list[dict[str, Any]]:
    """The exchange on file."""
    return list(orjson.loads((HERE / kind / f"{case}.json").read_bytes())["exchange"])


def answers_of(kind: str, case: str) -> list[Answer]:
    """What the vendor answers, in order; None for asks that are not HTTP."""
    return [_answer_in(step["answer"]) for step in exchange_of(kind, case)]


def replay(kind: str, case: str) -> Respond:
    """A vendor that is content: it gives the answers on file, and starts again when they are used up."""
    answers = answers_of(kind, case)
    waiting: list[Answer] = []

    def respond(ask: Ask) -> Answer:
        if not waiting:
            waiting.extend(answers)
        return waiting.pop(0)

    return respond


def attempt_for(kind: str, case: Case, secrets: list[str], /, **notice: Any) -> Attempt:
    """The attempt that a case is about."""
    turn = 1 if case.change is Change.OPENED else 2
    opening = opening_of(kind) if case.has_opening else None
    told = a_notice(**{"turn": turn, "group": case.group, **case.notice, **notice})
    return an_attempt(told, case.change, secrets=secrets, opening=opening, background=case.background)


def opening_of(kind: str) -> Receipt:
    """The receipt on file of the opening."""
    written = orjson.loads((HERE / kind / "opened.json").read_bytes())["result"]
    return Receipt(**written) if written else Receipt()


def asks_of(
    kind: str,
    notice: Notice,
    case: Case = CASES[0],
    background: Background = NO_BACKGROUND,
    *,
    example: int = 0,
    **config: Any,
) -> list[Ask]:
    """What is asked of a vendor that is content, to tell of a notice; the config is as for `a_destination`."""
    secrets = secret_names_in(examples_of(kind)[example])
    opening = opening_of(kind) if case.has_opening else None
    attempt = an_attempt(notice, case.change, secrets=secrets, opening=opening, background=background)
    return converse(a_destination(kind, example, **config), [attempt], replay(kind, case.name))[0]


def write(kind: str, case: str, asks: list[Ask], results: list[Result]) -> None:
    """Writes a golden file, its answers kept."""
    steps = [
        {"ask": written(ask), "answer": step["answer"]} for ask, step in zip(asks, exchange_of(kind, case), strict=True)
    ]
    text = orjson.dumps({"exchange": steps, "result": written_result(results[0])}, option=orjson.OPT_INDENT_2) + b"\n"
    (HERE / kind / f"{case}.json").write_bytes(text)


def written(ask: Ask) -> Any:
    """An ask as it stands in a golden file: no secret in it."""
    match ask:
        case HttpRequest():
            headers = {**ask.headers}
            if "authorization" in headers:
                headers["authorization"] = headers["authorization"].split()[0] + " ..."
            body = _readable(ask.body) if ask.body else None
            return {"method": ask.method, "url": _CANARY.sub("...", ask.url), "headers": headers, "body": body}
        case LogRows():
            return {"endpoint": ask.endpoint, "rule": ask.rule, "stream": ask.stream, "rows": _plain(ask.rows)}
        case AppendLines():
            return {"path": ask.path, "lines": [orjson.loads(line) for line in ask.lines.splitlines()]}
        case SendMail():
            return _written_mail(ask)


def _written_mail(ask: SendMail) -> Any:
    mail = read(ask)
    return {
        "server": f"{ask.host}:{ask.port}",
        "is_cleartext": ask.is_cleartext,
        "user": ask.user,
        "sender": ask.sender,
        "recipients": list(ask.recipients),
        "is_for_all": ask.is_for_all,
        "headers": mail.headers,
        "text": mail.text.split("\n"),
        "page": mail.page.split("\n"),
    }


def written_result(result: Result) -> Any:
    """A result as it stands in a golden file."""
    assert isinstance(result, Receipt), result
    return {"reference": result.reference, "link": result.link, "handles": dict(result.handles)}


def _readable(body: bytes) -> Any:
    value = orjson.loads(body)
    if isinstance(value, dict) and value.get("routing_key"):
        value["routing_key"] = "..."
    return value


def _plain(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value))


def _answer_in(step: dict[str, Any] | None) -> Answer:
    if step is None:
        return None
    if "code" in step:
        return mail_answered(MailStep(step["step"]), step["code"], step["text"])
    return HttpAnswer(status=step["status"], body=orjson.dumps(step["body"]) if step["body"] is not None else b"")

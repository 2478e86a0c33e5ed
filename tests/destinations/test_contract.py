"""What every kind of destination promises. A new kind is under this test by being there, with its golden files."""

import sys
from collections.abc import Iterator
from copy import replace
from itertools import product
from typing import Any, NamedTuple

import orjson
import pytest
from pydantic import ValidationError

from router.deliver.sender import page_of
from router.destinations import discover
from router.destinations.wording.fitting import MARK
from router.domain.conversation import (
    AppendLines,
    Ask,
    Deduplication,
    HttpRequest,
    LogRows,
    ReadableKind,
    Result,
    SendMail,
)
from router.domain.decisions import Change
from router.domain.deliveries import Attempt, Receipt
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable
from router.domain.notices import Notice
from router.domain.rulebook import Lane
from tests.destinations import goldens
from tests.destinations.builders import (
    a_finding,
    a_huge_notice,
    a_notice,
    a_secret,
    an_attempt,
    an_entry,
    secret_names_in,
)
from tests.destinations.conversations import MAIL_REFUSED, Answer, at_step, converse, payload_of, refusal_of
from tests.destinations.goldens import CASES, Case

KINDS = discover()

REFUSALS: dict[int, type[DeliveryError]] = {
    302: Rejected,
    400: Rejected,
    401: Unauthorized,
    403: Unauthorized,
    408: Unavailable,
    410: Rejected,
    425: Unavailable,
    429: Unavailable,
    500: Unavailable,
    503: Unavailable,
}


class Subject(NamedTuple):
    """A kind with one of its example configs."""

    kind: str
    example: dict[str, Any]

    @property
    def secrets(self) -> list[str]:
        """The names of the secrets that the config needs."""
        return list(secret_names_in(self.example))

    def make(self) -> ReadableKind:
        """The destination."""
        kind = KINDS[self.kind]
        return kind(kind.Config.model_validate(self.example))

    def attempt(self, case: Case, **notice: object) -> Attempt:
        """The attempt that a case is about."""
        return goldens.attempt_for(self.kind, case, self.secrets, **notice)

    def converse(self, case: Case, attempt: Attempt | None = None) -> tuple[list[Ask], list[Result]]:
        """What is asked of a vendor that is content, and what comes of it."""
        return converse(self.make(), [attempt or self.attempt(case)], goldens.replay(self.kind, case.name))


SUBJECTS = {
    name: [Subject(name, example) for example in kind.Config.model_json_schema()["examples"]]
    for name, kind in KINDS.items()
}
OPENED = CASES[0]
kinds = pytest.mark.parametrize("kind", KINDS)


def of_each(kind: str) -> Iterator[tuple[Subject, Case]]:
    """Each example of a kind in each case."""
    yield from product(SUBJECTS[kind], CASES)


@kinds
def test_a_kind_says_what_it_is(kind: str) -> None:
    """A kind declares lane, deduplication and batch, and its file says what is deduplicated, retried and truncated.

    An unknown key in a config is a problem, and so is a secret written out, which the problem does not repeat.
    """
    there = KINDS[kind]
    assert isinstance(there.lane, Lane)
    assert isinstance(there.deduplicates, Deduplication)
    assert there.batch >= 1
    told = sys.modules[there.__module__].__doc__ or ""
    assert all(word in told for word in ("Deduplicates", "Retried", "Truncated"))
    model = there.Config
    assert model.model_config.get("frozen")
    for _, example in SUBJECTS[kind]:
        assert example["kind"] == there.name == kind
        with pytest.raises(ValidationError, match="Extra inputs"):
            model.model_validate({**example, "no_such_key": 1})
        literal = _written_out(example)
        if literal != example:
            with pytest.raises(ValidationError, match="never written") as refused:
                model.model_validate(literal)
            assert "hunter2" not in str(refused.value)


def _written_out(value: Any) -> Any:
    match value:
        case {"secret": str()}:
            return "hunter2"
        case dict():
            return {name: _written_out(item) for name, item in value.items()}
        case list():
            return list(map(_written_out, value))
        case _:
            return value


@kinds
def test_a_vendor_that_takes_it_means_a_receipt(kind: str) -> None:
    """An answer that says yes ends in one receipt, for what is opened, updated or resolved, with or without a past.

    Every ask goes to what the destination gives as its address, and the same attempt asks for the same, however often.
    """
    for subject, case in of_each(kind):
        asks, results = subject.converse(case)
        assert [type(result) for result in results] == [Receipt]
        assert subject.converse(case) == (asks, results)
        address = subject.make().address
        for ask in asks:
            match ask:
                case HttpRequest():
                    assert ask.url.startswith(address.split()[0])
                case LogRows():
                    assert address.startswith(ask.endpoint + "/")
                case AppendLines():
                    assert ask.path == address
                case SendMail():
                    assert address.split() == [f"smtp://{ask.host}:{ask.port}", *sorted(ask.recipients)]


@kinds
def test_a_refusal_at_any_step_is_told_apart(kind: str) -> None:
    """Whichever request is refused, the result says whether it may be retried, mended, or never; no answer is owed again."""
    # The other cases say no other change.
    for subject, case in product(SUBJECTS[kind], CASES[:5]):
        for status, asks, result in _refused(subject, case):
            expected = Unavailable if isinstance(asks[-1], AppendLines) else REFUSALS[status]
            assert isinstance(result, expected), (status, asks[-1], result)
            assert str(result).startswith(f"{kind}: ") or isinstance(asks[-1], AppendLines)
            # No mail server says when to come again.
            if isinstance(result, Unavailable) and not isinstance(asks[-1], AppendLines | SendMail):
                assert (result.retry_after or 0) >= 7.0
            if isinstance(result, Rejected):
                assert result.status == (MAIL_REFUSED if isinstance(asks[-1], SendMail) else status)
        for step in range(len(goldens.answers_of(kind, case.name))):
            respond = at_step(step, lambda ask: Unavailable("no answer"), goldens.replay(kind, case.name))
            _, results = converse(subject.make(), [subject.attempt(case)], respond)
            assert [type(result) for result in results] == [Unavailable]


def _refused(subject: Subject, case: Case) -> Iterator[tuple[int, list[Ask], object]]:
    secrets = [a_secret(name) for name in subject.secrets]
    for status, step in product(REFUSALS, range(len(goldens.answers_of(subject.kind, case.name)))):

        def refuse(ask: Ask, status: int = status) -> Answer:
            headers = str(dict(ask.headers)) if isinstance(ask, HttpRequest) else ""
            said = {"message": f"see https://{secrets}/?sig={secrets} {headers}", "error": secrets}
            return refusal_of(ask, status, said, retry_after="7")

        respond = at_step(step, refuse, goldens.replay(subject.kind, case.name))
        asks, (result,) = converse(subject.make(), [subject.attempt(case)], respond)
        for text in (text for one in (result, *asks) for text in (str(one), repr(one))):
            assert not any(secret in text for secret in secrets)
            assert not secrets or "sig=" not in text
            assert "Basic " not in text or "Basic ***" in text
        yield status, asks, result


@kinds
def test_there_is_one_result_for_each_attempt_in_order(kind: str) -> None:
    """Three deliveries in one send end in three results, none in none; where they go one by one, only the refused one fails."""
    second = len(goldens.answers_of(kind, "opened"))
    for subject in SUBJECTS[kind]:
        assert converse(subject.make(), [], lambda ask: None)[1] == []
        attempts = [subject.attempt(OPENED) for _ in range(3)]
        respond = at_step(second, lambda ask: refusal_of(ask, 400), goldens.replay(kind, "opened"))
        _, results = converse(subject.make(), attempts, respond)
        goes_alone = KINDS[kind].batch == 1
        assert [type(result) for result in results] == [Receipt, Rejected if goes_alone else Receipt, Receipt]


@kinds
def test_whatever_a_notice_holds_it_is_sent(kind: str) -> None:
    """A finding as well as an alert; texts that UTF-8 cannot carry; JSON in a property that holds nothing but empty items.

    A rows destination takes an entry of the record; people are not told of it.
    """
    for subject in SUBJECTS[kind]:
        half = subject.attempt(OPENED, title="half \ud800 a pair", id="\udfff", extended={"\ud800": "\ud800"})
        empty = subject.attempt(OPENED, extended={"tags": '[""]', "attempts": "42"}, unlisted=("tags", "attempts"))
        finding = an_attempt(a_finding(key=half.delivery.key), secrets=subject.secrets)
        sent = list[Ask]()
        for attempt in (finding, empty, half):
            sent, results = subject.converse(OPENED, attempt)
            assert [type(result) for result in results] == [Receipt]
            assert isinstance(subject.make().preview(attempt), str)
        assert any("�".encode() in payload_of(ask) for ask in sent)
        asks, results = subject.converse(OPENED, an_attempt(an_entry(), secrets=subject.secrets))
        is_rows = KINDS[kind].lane is Lane.ROWS
        assert ([type(result) for result in results], bool(asks)) == ([Receipt if is_rows else Rejected], is_rows)


@kinds
def test_a_secret_without_a_value_pauses_the_destination(kind: str) -> None:
    """Where a secret has no value nothing is asked, and the error names the app setting."""
    for subject in (subject for subject in SUBJECTS[kind] if subject.secrets):
        asks, (result,) = converse(subject.make(), [an_attempt(secrets=())], lambda ask: None)
        assert asks == []
        assert isinstance(result, Unauthorized)
        assert any(name in str(result) for name in subject.secrets)


@kinds
def test_what_azure_monitor_says_is_not_called_defender_s(kind: str) -> None:
    """Source, product, source type and texts of an alert of Azure Monitor are its own, but for what the policy itself says."""
    is_named = False
    for subject, case in of_each(kind):
        attempt = subject.attempt(case, product="Azure Monitor", plan=None, kind="alert", stream="cwpp")
        asks, _ = subject.converse(case, attempt)
        sent = orjson.dumps([goldens.written(ask) for ask in asks]).decode().lower()
        for own in _texts_in(subject.example):
            sent = sent.replace(f'"{own.lower()}"', "").replace(f'"custom-{own.lower()}"', "")
        assert "defender" not in sent
        is_named |= "azure monitor" in sent or "azure_monitor" in sent
    assert is_named


def _texts_in(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            yield from (text for held in value.values() for text in _texts_in(held))
        case list():
            yield from (text for held in value for text in _texts_in(held))


CONSOLE = "https://alerts.contoso.com/console"


@kinds
def test_what_people_get_leads_to_the_console_where_there_is_one(kind: str) -> None:
    """To the page of the signal or the group, however much else is said; a decision's row to its signal, and what is about
    rules to what changed. A message that was not understood leads nowhere. A preview says what is sent."""
    for subject in SUBJECTS[kind]:
        told = [(case.name, subject.attempt(case)) for case in CASES]
        huge = a_huge_notice(key=told[0][1].delivery.key)
        told.append(("huge", an_attempt(huge, secrets=subject.secrets)))
        if KINDS[kind].lane is Lane.ROWS:
            entries = (an_entry(), an_entry(signal=None))
            names = ("decided", "not understood")
            told += [(name, an_attempt(one, secrets=subject.secrets)) for name, one in zip(names, entries, strict=True)]
        for name, attempt in told:
            case = next((case for case in CASES if case.name == name), OPENED)
            content = attempt.delivery.content
            linked = replace(attempt, page=page_of(CONSOLE, attempt.delivery))
            without, sent = (_sent(subject, case, one) for one in (attempt, linked))
            page = f"{CONSOLE}/signals/{content.key if isinstance(content, Notice) else content.signal}"
            page = f"{CONSOLE}/changes?since=7d" if name == "announced" else page
            assert CONSOLE not in without
            if name == "not understood":
                assert sent == without
            # What pages and trackers are told of what is over is no more than that.
            elif case.change is not Change.RESOLVED or kind not in ("jira", "jsm_ops", "pagerduty", "servicenow"):
                assert page in sent, name
            assert name == "huge" or (page in sent) == (page in subject.make().preview(linked)), name


def test_a_notice_about_rules_leads_to_where_they_are_listed() -> None:
    """By what happened: what ended is on the page of changes, with what came out."""
    for type, path in (("ended", "changes?since=7d"), ("ends_soon", "ends"), ("holds_nothing", "rules")):
        notice = a_notice(**{**goldens.ANNOUNCED, "type": type})
        assert page_of(CONSOLE, an_attempt(notice).delivery) == f"{CONSOLE}/{path}"


def _sent(subject: Subject, case: Case, attempt: Attempt) -> str:
    return b"".join(map(payload_of, subject.converse(case, attempt)[0])).decode()


@kinds
def test_a_preview_shows_what_is_sent(kind: str) -> None:
    """Each kind shows as text what it would send: what the preview shows of the notice goes out, and an opening says what."""
    for subject, case in of_each(kind):
        attempt = subject.attempt(case)
        preview = subject.make().preview(attempt)
        sent = "".join(orjson.dumps(goldens.written(ask)).decode() for ask in subject.converse(case)[0])
        shown = [word for word in TOLD if word in preview]
        # What is cut is cut with a mark.
        assert [word for word in shown if word not in sent] == [] or MARK in sent
        if case.change is Change.OPENED:
            notice = attempt.delivery.content
            assert isinstance(notice, Notice)
            assert notice.title in shown
            assert notice.owner is None or str(notice.owner.group) in preview
            # What a chat has no room for is counted there.
            assert not notice.evidence.ips or "203.0.113.7" in shown or " more facts in the page PD-77" in preview


TOLD = (
    "Rules, silences and holds: 1 ended, 1 end soon",
    "Suspicious sign-in to a virtual machine", "Possible cryptocurrency miner in a container", "Update openssl",
    "vm-pay-01", "aks-shop", "vm-erp-07", "shop-platform", "payments-platform", "203.0.113.7", "known-scanner",
    "3 h 12 min", "PD-77",
)  # fmt: skip
"""What notices of the golden cases say."""

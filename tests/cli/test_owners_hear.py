"""A run tells whom the policy names, and the owner of a rule by mail, that the rule ends; the next one tells nobody again."""

from __future__ import annotations

import asyncio
from pathlib import Path

from alert_router_demo.soc.mail import MailDouble
from tests.cli.house import House, a_process, a_suppression, ndjson, over_both
from tests.deliver.mail_servers import at_work
from tests.parse.messages import a_flat_alert

pytestmark = over_both

_MAIL = """
notify: [mail]
destinations:
  mail: {{kind: email, host: 127.0.0.1, port: {port}, tls: none, from: router@soc.example, to: [soc@soc.example]}}
"""
_HELD = {"Entities": [{"$id": "1", "HostName": "web-01", "Type": "host"}], "AlertType": "VM_Example"}


def test_owner_and_policy_hear_of_a_rule_that_ends_soon_and_ends(house: House) -> None:
    """Of its end with what comes out; over real SMTP, in processes that each begin anew."""
    server = MailDouble({})
    rules = house.directory / "rules" / "cwpp"
    (rules / "suppressions" / "scanner.json").write_bytes(a_suppression("VM_Example", "2026-12-01T12:00:00Z"))
    house.writes("held.ndjson", ndjson(a_flat_alert(SystemAlertId="one", **_HELD)))

    async def played() -> None:
        async with at_work(server, offers_tls=False) as port:
            _add_mail(rules / "policy.yaml", port)
            for now in ("2026-11-24T12:00:00Z", "2026-11-24T13:00:00Z", "2026-12-01T12:00:00Z", "2026-12-02T12:00:00Z"):
                said = await asyncio.to_thread(a_process, "run", "--now", now, "held.ndjson", within=house.directory)
                assert said.code == 0, said

    asyncio.run(played())
    mails = [(mail["To"], mail["Subject"]) for mail in server.mails]
    soon, ended = (
        "Suppression rule scanner ends 2026-12-01 12:00 UTC",
        "Suppression rule scanner ended 2026-12-01 12:00 UTC",
    )
    assert sorted(mails) == sorted(
        (to, title) for to in ("soc@soc.example", "secops@example.com") for title in (soon, ended)
    )
    (text,) = {
        one["text"]
        for [one] in server.threads().values()
        if one["to"] == "secops@example.com" and "ended" in one["subject"]
    }
    assert "1 signal that it holds still stands: what no other rule or silence holds is told now." in text
    assert "- High: Something happens - " in text
    # The number of a ticket, or of a mail, may be one of these.
    said = house.says("explain", "00000001", "--now", "2026-12-02T12:00:00Z")
    assert said.code == 0, said
    assert said.out.startswith("It pages nobody: it is no signal, but tells of rules, silences and holds")


def _add_mail(policy: Path, port: int) -> None:
    written = policy.read_text()
    policy.write_text(written.replace("\ndestinations:\n", _MAIL.format(port=port)))

"""Whether Defender's own suppression rules all have an end and a scope: what they dismiss is never exported.

https://learn.microsoft.com/azure/defender-for-cloud/alerts-suppression-rules
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from shlex import quote
from urllib.parse import quote as url_quote

from router.coverage.facts import CoverageCase
from router.coverage.readers.subscriptions import SUPPRESSION_RULES, EmptyListFact, SuppressionRuleFact
from router.coverage.remedies import list_command
from router.coverage.verdicts import Verdict, covered, gap, unknown
from router.domain.coverage import Rung
from router.domain.readable import counted

_MOST = 10
"""How many rules are named."""

_LONG = timedelta(days=366)
"""How far off an end may be before it is a remark."""

_TYPE = "Microsoft.Security/alertsSuppressionRules"
_EVERY_ALERT = "*"


def judge_suppression(case: CoverageCase) -> Verdict | None:
    """Covered if they were listed, and each that is in force ends and leaves something out."""
    rules = case.about(SuppressionRuleFact)
    empty = [one for one in case.about(EmptyListFact) if one.type == SUPPRESSION_RULES]
    ask = list_command("security alerts-suppression-rule list", case.subscription, _TYPE)
    if not rules and not empty:
        is_expected = Rung.SUPPRESSION in (case.expectation.rungs or ())
        return unknown("nobody asked for Defender's own suppression rules", remedy=ask) if is_expected else None
    remarks, in_force = (
        tuple(dict.fromkeys(_remarks(rules, case.now))),
        [one for one in rules if _is_in_force(one, case.now)],
    )
    if blind := _by_rule(one for one in in_force if _faults(one)):
        more = f"; and {counted(len(blind) - _MOST, 'more rule')}" if len(blind) > _MOST else ""
        return gap(
            f"Defender dismisses alerts by {'; '.join(map(_described, blind[:_MOST]))}{more}",
            *(
                one.source.shows("properties.suppressionAlertsScope", "")
                if one.ends
                else one.source.shows("properties.expirationDateUtc", one.ends_written)
                for one in blind[:_MOST]
            ),
            remedy="\n".join(_switch_off(case, one) for one in blind[:_MOST]),
            remarks=remarks,
        )
    if doubtful := _by_rule(one for one in rules if _is_doubtful(one, case.now))[:_MOST]:
        reason = f"it does not tell whether these are in force, or how wide: {', '.join(one.name for one in doubtful)}"
        shown = (one.source.shows("properties.state", one.state) for one in doubtful)
        return unknown(reason, *shown, remedy=ask, remarks=remarks)
    whole = next((one.source for one in (*rules, *empty) if one.source.is_whole), None)
    if whole is None:
        return unknown("no document lists all of Defender's own suppression rules", remedy=ask, remarks=remarks)
    many = counted(len({one.id for one in in_force}), "rule")
    return covered(
        f"every suppression rule of Defender's own in force has an end and a scope: {many}"
        if in_force
        else "no suppression rule of Defender's own is in force",
        whole.shows("value", counted(len({one.id for one in rules}), "rule")),
        remarks=remarks,
    )


def _is_in_force(rule: SuppressionRuleFact, now: datetime) -> bool:
    """Whether it dismisses alerts now: one that is past its end does not, though its state may lag."""
    return rule.state == "enabled" and (rule.ends is None or now < rule.ends)


def _is_doubtful(rule: SuppressionRuleFact, now: datetime) -> bool:
    """Whether it is not known if it dismisses more than it should."""
    if _is_in_force(rule, now):
        return rule.has_scope is None
    is_over = rule.ends is not None and now >= rule.ends
    has_doubts = bool(_faults(rule)) or rule.has_scope is None
    return rule.state not in ("enabled", "disabled", "expired") and not is_over and has_doubts


def _faults(rule: SuppressionRuleFact) -> list[str]:
    faults = []
    if not rule.ends_written:
        faults.append("without an end")
    elif rule.ends is None:
        faults.append(f"with an end that is no time, {rule.ends_written}")
    if rule.has_scope is False:
        faults.append("without a scope")
    return faults


def _by_rule(rules: Iterable[SuppressionRuleFact]) -> list[SuppressionRuleFact]:
    """Each rule once, by name."""
    return sorted({one.id: one for one in rules}.values(), key=lambda one: (one.name.lower(), one.id))


def _described(rule: SuppressionRuleFact) -> str:
    types = "every alert" if rule.alert_type == _EVERY_ALERT else rule.alert_type or "a type that is not said"
    comment = f'"{rule.comment}"' if rule.comment else "no comment"
    changed = f"last changed {rule.modified or 'at a time that is not said'}"
    return f"rule {rule.name} of {types} {' and '.join(_faults(rule))} ({comment}, {changed})"


def _remarks(rules: Sequence[SuppressionRuleFact], now: datetime) -> Iterator[str]:
    for rule in rules:
        if _is_in_force(rule, now) and rule.ends is not None and rule.ends - now > _LONG:
            yield f"rule {rule.name} ends in more than a year, at {rule.ends_written}"
        if _is_in_force(rule, now) and rule.alert_type == _EVERY_ALERT and rule.has_scope:
            yield f"rule {rule.name} dismisses alerts of every type within its scope"


def _switch_off(case: CoverageCase, rule: SuppressionRuleFact) -> str:
    """The line that switches a rule off and leaves everything else of it as it is, so that it can be switched on again.

    `az security alerts-suppression-rule update` would write it anew, without its scope.
    """
    path = f"/subscriptions/{case.subscription}/providers/{_TYPE}/{url_quote(rule.name, safe='')}"
    url, off = (
        quote(f"{path}?api-version=2019-01-01-preview"),
        quote("{properties: merge(properties, {state: 'Disabled'})}"),
    )
    body = f"az rest --method get --url {url} --query {off} --output json"
    return f'az rest --method put --url {url} --body "$({body})"'

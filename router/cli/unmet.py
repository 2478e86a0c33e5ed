"""What an example's messages came to otherwise than it expects, with the reason in words where their outcome is another one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from router.cli.decisions import decision_of
from router.cli.entries import entry_of
from router.cli.rules_report import Unmet
from router.decide import explain
from router.domain.decisions import Outcome
from router.domain.holders import find_shadow_rule, shadow_name
from router.domain.ledger import Arrival
from router.domain.owners import find_owner_of
from router.domain.rulebook import Rulebook
from router.domain.signals import Signal
from router.ingest.messages import Message, MessagePart, MessageReader, NotUnderstood
from router.rulebook import Example

_MOST_RULES = 5
"""The most suppression rules of which it is said why they do not hold."""


def unmet_in(example: Example, reader: MessageReader, where: str) -> Iterator[Unmet]:
    """Each thing that a message of an example shows otherwise than expected."""
    for place, body in enumerate(example.bodies, 1):
        message = Message(body, where, Arrival("example", place))
        which = f"{example.name} (message {place})" if len(example.bodies) > 1 else example.name
        for part in reader.read_message(message):
            decided = decision_of(entry_of(part, reader, example.now)) | {"owner": owner_of(part, reader)}
            unmet = example.unmet_by(decided)
            to_explain = next((key for key in ("outcome", "suppressed_by") if key in unmet), None)
            for key, what in unmet.items():
                why = _why(part, example, reader, decided) if key == to_explain else ""
                if key == "shadowed_by":
                    why = "; ".join(_shadows_asked(part, example, reader, decided))
                yield Unmet(which, f"{what} ({why})" if why else what)


def owner_of(part: MessagePart, reader: MessageReader) -> str | None:
    """What the owner of what a part is about is called; None for nobody, and where the part is not understood."""
    if isinstance(part, NotUnderstood):
        return None
    owner = find_owner_of(part.signal, reader.rulebooks[part.signal.stream].owners)
    return owner.name if owner is not None else None


def _why(part: MessagePart, example: Example, reader: MessageReader, decided: Mapping[str, object]) -> str:
    """The decision's reason; and where a rule was to hold a signal that it could have held, why it does not."""
    reason = str(decided["reason"])
    if isinstance(part, NotUnderstood):
        at_fault = part.quarantined.at_fault
        return f"{reason}; at fault: {at_fault}" if at_fault else reason
    name = example.expect.get("suppressed_by")
    if name is not None and name == decided["suppressed_by"]:
        return reason
    is_to_be_held = name is not None or example.expect.get("outcome") == Outcome.SUPPRESSED
    if not is_to_be_held or decided["outcome"] not in (Outcome.ROUTED, Outcome.SUPPRESSED):
        return reason
    rules = _rules_asked(part.signal, reader.rulebooks[part.signal.stream], name, example.now)
    return "; ".join([reason, *rules] if decided["outcome"] == Outcome.SUPPRESSED else rules)


def _rules_asked(signal: Signal, rulebook: Rulebook, name: object, now: datetime) -> list[str]:
    """What each suppression rule for a signal, or the one of a name, says of it, as `explain` says it."""
    steps = explain(signal, rulebook, now).steps
    rules = [step for step in steps if step.rule is not None and find_shadow_rule(step.rule) is None]
    asked = [step for step in rules if name in (None, step.rule)]
    if not asked:
        if name is None:
            return [f"there is no rule for {signal.type}"]
        is_there = name in rulebook.suppressions.by_name
        return [f"the rule {name} is not about {signal.type}" if is_there else f"there is no rule {name}"]
    more = [f"and {len(asked) - _MOST_RULES} more rules"] if len(asked) > _MOST_RULES else []
    return [*(f"{step.question} {step.answer}" for step in asked[:_MOST_RULES]), *more]


def _shadows_asked(
    part: MessagePart, example: Example, reader: MessageReader, decided: Mapping[str, object]
) -> Iterator[str]:
    """Why each shadow rule that was to hold a signal would not, as `explain` says it."""
    wanted, got = (
        one if isinstance(one, list) else [] for one in (example.expect["shadowed_by"], decided["shadowed_by"])
    )
    missing = sorted(set(wanted).difference(got))
    if isinstance(part, NotUnderstood) or not missing:
        return
    if decided["outcome"] not in (Outcome.ROUTED, Outcome.SUPPRESSED):
        yield f"{decided['reason']}, and such signals no rule is asked about"
        return
    rulebook = reader.rulebooks[part.signal.stream]
    steps = {step.rule: step for step in explain(part.signal, rulebook, example.now).steps}
    for name in missing[:_MOST_RULES]:
        if step := steps.get(shadow_name(name)):
            yield f"{step.question} {step.answer}"
        else:
            is_there = name in rulebook.shadows.by_name
            yield (
                f"the shadow rule {name} is not about {part.signal.type}"
                if is_there
                else f"there is no shadow rule {name}"
            )

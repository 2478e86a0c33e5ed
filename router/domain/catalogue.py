"""What is known beforehand: Defender's alert types, properties and samples, and MITRE ATT&CK at one version.

It helps; it is never an allow-list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import NamedTuple

from msgspec import field

from router.domain.evidence import PropertyTable
from router.domain.readable import remembered
from router.domain.resources import parse_resource_id
from router.domain.values import Value

SAMPLE_TYPE = "SIMULATED_"
"""How the type of a sample begins, before that of the real alert."""

SAMPLE_TITLE = "[SAMPLE ALERT]"
"""How its title begins."""

NO_SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
"""What stands in some samples in place of a subscription."""

SAMPLE_GROUP, SAMPLE_NAME = "sample-rg", "sample-"
"""The resource group of a sample's resource, and how the resource's own name begins, in lower case."""


def is_sample(type: str, title: str, resources: Iterable[str | None]) -> bool:
    """Whether an alert bears a mark of a sample; any one tells, for none is always there.

    The marks are Defender's alone. What a sample's description, host or resource is called proves nothing: the owner of a
    host can call it `Sample-VM`, and be left out where samples are. A name counts only in the subscription of zeros, which
    no customer has.
    """
    return (
        type[: len(SAMPLE_TYPE)].upper() == SAMPLE_TYPE
        or title.startswith(SAMPLE_TITLE)
        or any(map(_is_made_up, resources))
    )


def _is_made_up(resource: str | None) -> bool:
    if resource is None or NO_SUBSCRIPTION not in resource:
        return False
    parts = parse_resource_id(resource)
    return (
        parts.subscription == NO_SUBSCRIPTION
        and (parts.resource_group or "").lower() == SAMPLE_GROUP
        and (parts.name or "").lower().startswith(SAMPLE_NAME)
    )


class Attack(Value):
    """The ATT&CK ids of one signal."""

    tactics: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()


class AttackTable(Value, kw_only=True):
    """How Defender's words become ATT&CK ids.

    Attributes:
        words: tactic ids by every spelling of an intent or a tactic name, reduced by `word_of`.
        techniques: the tactics of those techniques that say more than the intent they arrive with.
    """

    version: str = ""
    tactics: Mapping[str, str]
    words: Mapping[str, tuple[str, ...]]
    successors: Mapping[str, str]
    techniques: Mapping[str, tuple[str, ...]]

    def tactics_for(self, word: str) -> tuple[str, ...]:
        """The tactic ids that a word or an id stands for; none for a word that is not known."""
        return self.words.get(word_of(word), ())

    def technique_for(self, id: str) -> str:
        """The technique that is current today under that id."""
        return self.successors.get(id, id)

    def names_of(self, tactics: Iterable[str]) -> tuple[str, ...]:
        """The names of tactics at this version; an id stands for itself where the table lacks it."""
        return tuple(self.tactics.get(id, id) for id in tactics)


@remembered
def word_of(text: str) -> str:
    """A tactic's name without case, spaces and dashes: `Pre-attack`, `PreAttack` and `Pre Attack` are one word."""
    return "".join(letter for letter in text.lower() if letter.isalnum())


class Deprecation(NamedTuple):
    """That Microsoft announced the end of an alert type. Alerts of it may still arrive.

    Attributes:
        since: the day, or the month, as Microsoft gives it; None where it gives none.
    """

    since: str | None
    replaced_by: tuple[str, ...]


class AlertType(NamedTuple):
    """What is known beforehand of one alert type, for the most part from Microsoft's alert reference.

    Attributes:
        field_only: whether it was seen in the field only, and no page of Microsoft's lists it.
    """

    plan: str | None
    tactics: tuple[str, ...]
    severity: str | None
    title: str
    deprecation: Deprecation | None = None
    field_only: bool = False


_CLOSE = 0.9
"""How like each other two names are that differ in a letter."""


class Catalogue(Value, kw_only=True, eq=False):
    """Alert types and properties, and plans by what names them, in lower case; the longest prefix stands first.

    Attributes:
        products: products that are not Defender for Cloud, by the column that names them and a name without blanks.
    """

    types: Mapping[str, AlertType] = {}
    plan_names: Mapping[str, str] = {}
    prefixes: tuple[tuple[str, str], ...] = ()
    resource_plans: Mapping[str, str] = {}
    properties: PropertyTable = field(default_factory=PropertyTable)
    products: Mapping[tuple[str, str], str] = {}

    def find_type(self, type: str) -> AlertType | None:
        """The reference's entry of an alert type, simulated or not; None for one it does not list."""
        return self.types.get(type.lower().removeprefix("simulated_"))

    def find_simulated(self, type: str, title: str, plan: str | None) -> AlertType | None:
        """The entry of the alert that a sample stands for whose type is not listed, of those in a plan, or in any.

        Defender does not call all samples as what they stand for: `SIMULATED_MaliciousContent-AzureWebApps` has the title of
        `AppServices_PhishingContent`, other names differ in what stands before the first underscore, or in a letter.
        """
        known = {name: one for name, one in self.types.items() if plan in (None, one.plan)}
        titles = {_letters_in(one.title): one for one in known.values() if one.title}
        if (found := titles.get(_letters_in(title.removeprefix(SAMPLE_TITLE)))) is not None:
            return found
        bare = type.lower().removeprefix("simulated_")
        tails = {_tail_of(name): name for name in known}
        near = get_close_matches(bare, known, n=1, cutoff=_CLOSE)
        near = near or [tails[tail] for tail in get_close_matches(_tail_of(bare), tails, n=1, cutoff=_CLOSE)]
        return known[near[0]] if near else None

    def find_plan(self, component: str | None, type: str) -> str | None:
        """The plan named by a message's component, else by its alert type; None where neither names one."""
        if component and (named := self.plan_names.get(component.lower())):
            return named
        bare = type.lower().removeprefix("simulated_")
        if (known := self.types.get(bare)) and known.plan:
            return known.plan
        return next((plan for prefix, plan in self.prefixes if bare.startswith(prefix)), None)

    def find_plan_of_resource(self, resource_type: str | None) -> str | None:
        """The plan that watches a resource type, or the nearest type above it; None where none is known to.

        The type is one of Azure Resource Manager, such as Microsoft.Sql/servers/databases, or Defender's word for it, such
        as Virtual Machine. A plan that an alert's own type names is better knowledge.
        """
        type = (resource_type or "").lower()
        while type:
            if plan := self.resource_plans.get(type) or self.plan_names.get(type):
                return plan
            type = type.rpartition("/")[0]
        return None


def _letters_in(title: str) -> str:
    """A title's letters and digits in lower case, without the mark of a preview."""
    return "".join(filter(str.isalnum, title.lower().replace("(preview)", "")))


def _tail_of(type: str) -> str:
    """What stands behind the first underscore of an alert type, or all of one that has none."""
    return type.partition("_")[2] or type

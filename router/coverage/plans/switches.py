"""The switch that a storage account and an account of Cosmos DB have of their own, beside the plan of their subscription."""

from __future__ import annotations

from dataclasses import dataclass

from router.coverage.case import CoverageCase
from router.coverage.plans.answers import PlanAnswers
from router.coverage.plans.remedies import (
    ask_storage,
    ask_threat_protection,
    enable_threat_protection,
    follow_subscription_storage,
)
from router.coverage.readers.storage_settings import StorageSettingFact
from router.coverage.readers.threat_protection import ThreatProtectionFact
from router.coverage.verdicts import CoverageEvidence
from router.domain.coverage import WorkloadKind

_CLASSIC = ("perstorageaccount", "pertransaction")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceSwitch:
    """What an account says of itself.

    Attributes:
        is_on: whether it is on; None where it was not asked, or does not tell.
        is_own: whether it is on whatever its subscription says.
        is_idle: whether it says that it is not on, and does not differ from its subscription on purpose.
        ask: the command that asks it.
        mend: the command that switches it on.
        evidence: what it says.
        settings: the answers of a storage account.
    """

    is_on: bool | None
    is_own: bool
    is_idle: bool = False
    ask: str
    mend: str
    evidence: tuple[CoverageEvidence, ...] = ()
    settings: tuple[StorageSettingFact, ...] = ()


def find_switch(case: CoverageCase, base: PlanAnswers) -> ResourceSwitch | None:
    """The switch of a workload; None where its kind has none."""
    if case.workload.kind is WorkloadKind.COSMOS_DB:
        return _threat_protection(case)
    if case.workload.kind is not WorkloadKind.STORAGE_ACCOUNT:
        return None
    # The switch of the classic plan says nothing of the plan that took its place, nor the other way round.
    is_classic = bool(base.sub_plans) and all(one.lower() in _CLASSIC for one in base.sub_plans)
    settings = _storage(case)
    return _threat_protection(case) if is_classic and settings.is_on is None else settings


def _threat_protection(case: CoverageCase) -> ResourceSwitch:
    id, facts = case.workload.id or "", case.about(ThreatProtectionFact)
    said = {one.is_enabled for one in facts} - {None}
    is_on = None if not said else False not in said
    return ResourceSwitch(
        is_on=is_on,
        is_own=is_on is True and case.workload.kind is WorkloadKind.COSMOS_DB,
        ask=ask_threat_protection(id),
        mend=enable_threat_protection(id),
        evidence=tuple(one.source.shows("advancedThreatProtectionSettings isEnabled", one.is_enabled) for one in facts),
    )


def _storage(case: CoverageCase) -> ResourceSwitch:
    id, facts = case.workload.id or "", case.about(StorageSettingFact)
    is_off = any(one.is_enabled is False and one.is_override is True for one in facts)
    is_idle = any(one.is_enabled is False and one.is_override is not True for one in facts)
    is_said = any(one.is_enabled is True for one in facts)
    return ResourceSwitch(
        is_on=False if is_off else True if is_said and not is_idle else None,
        is_own=all(one.is_override is True for one in facts if one.is_enabled is True),
        is_idle=is_idle,
        ask=ask_storage(id),
        mend=follow_subscription_storage(id),
        evidence=tuple(
            one.source.shows(f"defenderForStorageSettings {field}", value)
            for one in facts
            for field, value in (
                ("isEnabled", one.is_enabled),
                ("overrideSubscriptionLevelSettings", one.is_override),
            )
        ),
        settings=facts,
    )

"""The meaning of policy.yaml. Every problem is found in one pass, so a broken part does not hide the next one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from router.domain.catalogue import AttackTable, Catalogue
from router.domain.owners import Owners
from router.domain.rulebook import DestinationSpec, Floor, Lane, Route, Runbook
from router.domain.severity import Severity
from router.domain.signals import Stream
from router.domain.silences import BOUNDS, SilenceBounds
from router.domain.values import Value
from router.rulebook.clauses import SEVERITIES, clauses_for, doubts_about, may_be_about_coverage, plans_of, unknown_plan
from router.rulebook.destinations import RECORD, KindsByName, read_destination
from router.rulebook.documents import Document
from router.rulebook.folder import Folder
from router.rulebook.owners import KEY as RUNBOOKS
from router.rulebook.owners import compile_runbooks
from router.rulebook.policy_form import (
    HIGHEST_FLOOR,
    CoverageLevelForm,
    PolicyForm,
    RouteForm,
    SilencesForm,
    SuppressionsForm,
    timedelta_for,
)
from router.rulebook.problems import INVALID, KeyPath
from router.rulebook.validation_messages import complaints_of, find_sound, hint

_NAMING = ("always", "otherwise", "notify")
"""The keys beside the routes that name destinations."""

FILE = "policy.yaml"
"""The policy of a stream, in the stream's directory."""

_QUIET = frozenset({"Informational", "Low", "Medium"})
"""The severities that a route may keep quiet."""


MAIL = "email"
"""The kind through which owners of rules are mailed."""


class Policy(Value, kw_only=True):
    """A policy.yaml as far as it is sound; the rest is among the folder's problems.

    Attributes:
        route_forms: its well-formed routes as they are written, each with its number in the list.
    """

    floor: Floor
    longest: timedelta
    warn: timedelta
    coverage_severity: Severity = Severity.HIGH
    silences: SilenceBounds = BOUNDS
    notify: tuple[str, ...] = ()
    are_rules_portable: bool = True
    destinations: Mapping[str, DestinationSpec] = {}
    record: DestinationSpec | None = None
    routes: tuple[Route, ...] = ()
    always: tuple[str, ...] = ()
    otherwise: tuple[str, ...] = ()
    runbooks: tuple[Runbook, ...] = ()
    types: tuple[str, ...] = ()
    route_forms: tuple[tuple[int, RouteForm], ...] = ()
    document: Document | None = None


_LONG = timedelta(days=730)
"""The longest life of suppression rules that is not warned about."""

_SUPPRESSIONS = SuppressionsForm()
_UNREAD = Policy(
    floor=Floor(Severity.INFORMATIONAL),
    longest=timedelta_for(_SUPPRESSIONS.longest),
    warn=timedelta_for(_SUPPRESSIONS.warn),
)


def read_policy(
    folder: Folder, stream: Stream, kinds: KindsByName, attack: AttackTable, known: Catalogue, owners: Owners
) -> Policy:
    """The policy of a stream."""
    document = folder.read(f"{stream}/{FILE}")
    if document is None:
        return _UNREAD
    if not isinstance(document.value, dict):
        folder.note(document, (), "must be a mapping: stream, destinations, routes, otherwise, ...")
        return _UNREAD
    return _PolicyReader(folder, document, document.value, stream, kinds, attack, known, owners).read()


class _PolicyReader(Value):
    folder: Folder
    document: Document
    value: Mapping[str, object]
    stream: Stream
    kinds: KindsByName
    attack: AttackTable
    known: Catalogue
    owners: Owners

    def read(self) -> Policy:
        self._check_shape()
        destinations = self._destinations()
        coverage_severity = self._coverage_severity()
        routes = list(self._routes(coverage_severity))
        self._check_names([route.name for _, route in routes])
        self._check_references(self._entries("destinations"))
        self._check_notify(destinations)
        suppressions = self._suppressions()
        return Policy(
            floor=self._floor(),
            coverage_severity=coverage_severity,
            longest=timedelta_for(suppressions.longest),
            warn=timedelta_for(suppressions.warn),
            silences=self._silences(),
            notify=tuple(dict.fromkeys(self._names("notify"))),
            are_rules_portable=suppressions.portable,
            record=destinations.pop(RECORD, None),
            destinations=destinations,
            routes=tuple(self._compiled(route) for _, route in routes),
            always=tuple(dict.fromkeys(self._names("always"))),
            otherwise=tuple(dict.fromkeys(self._names("otherwise"))),
            runbooks=compile_runbooks(self._entries(RUNBOOKS)),
            types=tuple(self._names("types")),
            route_forms=tuple(routes),
            document=self.document,
        )

    def _blame(self, path: KeyPath, message: str, code: str = INVALID) -> None:
        self.folder.note(self.document, path, message, code=code)

    def _warn(self, path: KeyPath, message: str, code: str) -> None:
        self.folder.note(self.document, path, message, "warning", code)

    def _check_shape(self) -> None:
        for path, message, code in complaints_of(PolicyForm, self.value):
            # What is in a destination is for its kind to judge.
            if len(path) < 2 or path[0] not in ("destinations", RECORD):
                self._blame(path, message, code)
        if self.stream is Stream.CSPM and self._names("types"):
            useless = "means nothing here: only alert types are compared with a list, and cspm has none; remove it"
            self._warn(("types",), useless, "types-in-cspm")
        stream = self.value.get("stream")
        if isinstance(stream, str) and stream in set(Stream) and stream != self.stream:
            remedy = f"write stream: {self.stream}, or move the file into {stream}/"
            self._blame(("stream",), f"is {stream}, but the file stands in {self.stream}/; {remedy}", "wrong-stream")

    def _suppressions(self) -> SuppressionsForm:
        suppressions = find_sound(SuppressionsForm, self.value.get("suppression")) or _SUPPRESSIONS
        if timedelta_for(suppressions.longest) > _LONG:
            long = f"is more than two years, in which nobody looks at a rule again; give at most {_LONG.days}d"
            self._warn(("suppression", "longest"), long, "long-life")
        return suppressions

    def _silences(self) -> SilenceBounds:
        form = find_sound(SilencesForm, self.value.get("silences")) or SilencesForm()
        return SilenceBounds(
            longest=timedelta_for(form.longest),
            recurring=timedelta_for(form.recurring),
            ticket=form.ticket,
            refuse=SEVERITIES[form.refuse.at_least] if form.refuse is not None else None,
        )

    def _destinations(self) -> dict[str, DestinationSpec]:
        written = self._entries("destinations")
        entries: list[tuple[KeyPath, object]] = [
            (("destinations", name), entry) for name, entry in written.items() if name != RECORD
        ]
        if RECORD in written:
            self._blame(("destinations", RECORD), "is a reserved name; call the destination otherwise", "reserved-name")
        if isinstance(self.value.get(RECORD), dict):
            entries.append(((RECORD,), self.value[RECORD]))
        table = self.known.properties
        read = (
            read_destination(self.folder, self.document, path, entry, self.stream, self.kinds, table)
            for path, entry in entries
        )
        return {spec.name: spec for spec in read if spec is not None}

    def _routes(self, coverage_severity: Severity) -> Iterator[tuple[int, RouteForm]]:
        """The routes that are well formed, each with its number in the list."""
        routes = self.value.get("routes")
        for number, entry in enumerate(routes if isinstance(routes, list) else ()):
            if (route := find_sound(RouteForm, entry)) is None:
                continue
            for path, message, level, code in doubts_about(route.when, self.stream, self.attack, self.known):
                self.folder.note(self.document, ("routes", number, "when", *path), message, level, code)
            quiet = f"tells nobody, yet route {route.name!r} may match"
            if not route.to and not (route.when.severity and _QUIET.issuperset(route.when.severity)):
                loud = (
                    "High, Critical or an unknown severity; "
                    "name a destination, or give `severity` with none but Low, Medium and Informational"
                )
                self._blame(("routes", number, "to"), f"{quiet} {loud}", "quiet-route")
            elif not route.to and self._keeps_coverage_quiet(route, coverage_severity):
                made = f"what is about coverage, which the policy makes {coverage_severity.label}"
                remedy = "write coverage: false, or name a destination"
                self._blame(("routes", number, "to"), f"{quiet} {made}; {remedy}", "quiet-route")
            if route.respond_within and not route.to:
                never = "never applies: the route tells nobody"
                self._warn(("routes", number, "respond_within"), never, "never-applies")
            yield number, route

    def _keeps_coverage_quiet(self, route: RouteForm, coverage_severity: Severity) -> bool:
        """Whether a quiet route may take what says that Defender does not watch something: of that nothing else would tell."""
        is_asked = coverage_severity.label in (route.when.severity or ())
        return self.stream is Stream.CSPM and is_asked and may_be_about_coverage(route.when)

    def _check_names(self, names: list[str]) -> None:
        for number, name in enumerate(names):
            if name in names[:number]:
                twin = f"is {name!r}, the name of a route above; names are unique"
                self._blame(("routes", number, "name"), twin, "duplicate-name")

    def _check_references(self, defined: Mapping[str, object]) -> None:
        """Notes of each name that is no destination's, also in a route with other problems, and of destinations in vain."""
        lists: list[tuple[KeyPath, object]] = [((key,), self.value.get(key, [])) for key in _NAMING]
        written = self.value.get("routes", [])
        for number, route in enumerate(written if isinstance(written, list) else ()):
            lists.append((("routes", number, "to"), route.get("to") if isinstance(route, dict) else None))
        named = [
            ((*path, place), name)
            for path, names in lists
            for place, name in enumerate(names if isinstance(names, list) else ())
            if isinstance(name, str)
        ]
        strays = [(path, name) for path, name in named if name not in defined]
        for path, name in strays:
            remedy = hint(name, defined) or f"; known: {', '.join(sorted(defined)) or 'none'}"
            self._blame(path, f"names no destination {name!r}{remedy}", "unknown-destination")
        if strays or find_sound(PolicyForm, self.value) is None:
            # A destination may only seem unused, where it is misspelled.
            return
        for name in defined.keys() - {name for _, name in named} - {RECORD}:
            unused = "is used by no route, nor by always, otherwise or notify"
            self._warn(("destinations", name), unused, "unused-destination")

    def _check_notify(self, destinations: Mapping[str, DestinationSpec]) -> None:
        """Notes of destinations that are wrong for the ends of rules; owners are mailed through one that `notify` names."""
        names = self._names("notify")
        for number, name in enumerate(names):
            lane = destinations[name].lane if name in destinations else Lane.TICKET
            if lane is not Lane.TICKET:
                why = "calls people at night" if lane is Lane.PAGE else "takes rows, which nobody reads in time"
                wrong = f"{name!r} {why}; name a destination for tickets, a chat or mail"
                self._blame(("notify", number), wrong, "wrong-lane")
        notified = [destinations[name].kind for name in names if name in destinations]
        mail = next((name for name, spec in sorted(destinations.items()) if spec.kind == MAIL), None)
        if notified and mail is not None and MAIL not in notified:
            beside = f"names no destination of the kind {MAIL}, so no owner is mailed; add {mail!r}, or another one"
            self._warn(("notify",), beside, "owners-unheard")

    def _floor(self) -> Floor:
        plans = plans_of(self.known)
        default, by_plan = Severity.INFORMATIONAL, {}
        for plan, label in self._entries("floor").items():
            if (severity := SEVERITIES.get(str(label))) is None:
                continue
            if self.stream is Stream.CWPP and severity > HIGHEST_FLOOR:
                above = f"is {label}, above all alerts of Defender's, so none would be forwarded; give at most"
                self._blame(("floor", plan), f"{above} {HIGHEST_FLOOR.label}")
            if plan == "default":
                default = severity
                continue
            if self.stream is Stream.CSPM:
                self._warn(("floor", plan), "never applies: no cspm signal has a plan", "never-applies")
            elif plan.lower() not in plans:
                is_default = plan.lower() == "default"
                unknown = "is no plan; did you mean 'default'?" if is_default else unknown_plan(plan, self.known)
                self._warn(("floor", plan), unknown, "unknown-plan")
            by_plan[plans.get(plan.lower(), plan)] = severity
        return Floor(default, by_plan)

    def _coverage_severity(self) -> Severity:
        if self.stream is Stream.CWPP and "coverage" in self.value:
            never = "never applies: only findings, in cspm, are about coverage; remove it"
            self._warn(("coverage",), never, "never-applies")
        form = find_sound(CoverageLevelForm, self.value.get("coverage")) or CoverageLevelForm()
        return SEVERITIES[form.severity]

    def _compiled(self, route: RouteForm) -> Route:
        return Route(
            name=route.name,
            when=clauses_for(route.when, self.attack, self.owners),
            to=tuple(dict.fromkeys(route.to)),
            kinds=frozenset(route.when.kind or ()),
            respond_within=timedelta_for(route.respond_within) if route.respond_within else None,
        )

    def _entries(self, key: str) -> Mapping[str, object]:
        entries = self.value.get(key)
        return {str(name): entry for name, entry in entries.items()} if isinstance(entries, dict) else {}

    def _names(self, key: str) -> list[str]:
        names = self.value.get(key)
        return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []

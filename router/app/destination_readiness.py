"""Which destinations of some rules can be asked with the settings as they are, and what the others lack.

| what keeps it from being asked | it never took a delivery | it took one before |
|---|---|---|
| a secret or a setting that is missing, or still a reference | not yet | a problem |
| an address that ends in `.example` | not yet | a problem |
| Azure's own client, which is not installed | not yet | a problem |
| a setting that holds what its place does not take | a problem | a problem |
| a setting that leads to where the other stream writes | a problem | a problem |

Nothing is claimed there. What is due is owed for as long as any delivery of its lane, and is then a dead letter. So a
destination that is not there yet is nothing to worry about until something is late or dead there, which is said as anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from pydantic import ValidationError

from router.app.optional_packages import EXTRA, is_installed, requirement
from router.app.rules import Rules, pagers_of, secret_names_of, specs_of
from router.app.settings import Lack, Settings, Why
from router.destinations import discover
from router.destinations.config import Config, hosts_in, settings_in, with_setting
from router.domain.deliveries import LONGEST_LIFE
from router.domain.errors import BadSetting
from router.domain.rulebook import DestinationSpec, Lane
from router.domain.signals import Stream
from router.domain.urls import is_example
from router.domain.values import Value, repr_without
from router.store.destinations import list_delivered
from router.store.store import Store

_MISTAKES = frozenset({Why.UNFIT, Why.SHARED})
"""What no later step of a deployment mends: it is a problem from the first."""


class Unready(Value, kw_only=True):
    """A destination that cannot be asked."""

    stream: str
    destination: str
    lane: Lane
    lacks: tuple[Lack, ...]

    @property
    def why(self) -> str:
        """What it lacks, in words."""
        return ", ".join(map(str, self.lacks))

    @property
    def error(self) -> str:
        """The error of a delivery that was given up on here."""
        return f"never tried: {self.why}"


class Remark(Value):
    """One line for people about a destination that cannot be asked."""

    text: str
    is_problem: bool


async def remarks_on(store: Store, unready: Sequence[Unready]) -> list[Remark]:
    """The remarks on destinations that cannot be asked; raises StoreError."""
    async with store.session() as tx:
        took = {stream: await list_delivered(tx, stream) for stream in sorted({one.stream for one in unready})}
    return [remark_on(one, has_delivered=one.destination in took[one.stream]) for one in unready]


def remark_on(one: Unready, *, has_delivered: bool) -> Remark:
    """The remark on a destination that cannot be asked, given whether it ever took a delivery."""
    is_problem = has_delivered or any(lack.why in _MISTAKES for lack in one.lacks)
    words = "cannot be asked" if is_problem else "not yet"
    return Remark(f"{one.stream} {one.destination}: {words}: {one.why}", is_problem)


def given_up_until(one: Unready, now: datetime) -> datetime:
    """The instant before which a delivery was owed that is given up on now, because the longest life of its lane is over."""
    return now - LONGEST_LIFE[one.lane]


type _DestinationKey = tuple[Stream, str]
"""The stream and the name of a destination."""


class Readiness(Value, kw_only=True):
    """What the settings make of some rules. They are read once; a change needs a new process.

    Attributes:
        pagers: the keys of owners that are not set; their pages go by the key of the destination.
        console_url: where people reach the console; None where no setting says it.
        unfit: what is wrong with settings of which each only makes what is sent say less.
    """

    ready: Mapping[tuple[Stream, str], object]
    unready: tuple[Unready, ...]
    secrets: Mapping[Stream, Mapping[str, str]]
    pagers: tuple[Lack, ...] = ()
    console_url: str | None = None
    unfit: tuple[str, ...] = ()

    __repr__ = repr_without("secrets")

    @property
    def problems(self) -> list[str]:
        """What is wrong whatever was delivered before, a line each."""
        paged = [f"owners.yaml: {lack}; its owner is paged by the key of the destination" for lack in self.pagers]
        return [*paged, *self.unfit]


def readiness_of(
    rules: Rules, settings: Settings, can_import: Callable[[Iterable[str]], bool] = is_installed
) -> Readiness:
    """Whether each destination of some rules can be asked; nothing is raised for what is missing.

    `can_import` says whether all of some modules are there: here, unless it speaks of another machine.
    """
    specs = {(stream, spec.name): spec for stream, book in rules.books.items() for spec in specs_of(book)}
    found = {key: _configured(spec, settings) for key, spec in specs.items()}
    for key, name in _shared(specs, {key: config for key, (config, lacks) in found.items() if not lacks}):
        found[key][1].append(Lack(name, Why.SHARED))
    for config, lacks in found.values():
        if isinstance(config, Config) and not can_import(config.clients):
            lacks.append(Lack(requirement(EXTRA), Why.NOT_INSTALLED))
    # Nothing is paged by an owner's key in a stream that pages by no destination.
    paging = {key[0] for key, spec in specs.items() if spec.lane is Lane.PAGE}
    pagers = [name for stream in paging for name in pagers_of(rules.books[stream])]
    unfit: list[str] = []
    console_url = None
    try:
        console_url = settings.console_url
    except BadSetting as fault:
        unfit.append(f"{fault}; without it nothing that is sent links to the console")
    return Readiness(
        ready={key: config for key, (config, lacks) in found.items() if not lacks},
        unready=tuple(
            Unready(stream=key[0].value, destination=key[1], lane=specs[key].lane, lacks=tuple(sorted(lacks)))
            for key, (_, lacks) in found.items()
            if lacks
        ),
        secrets={stream: settings.look_up(secret_names_of([book])).values for stream, book in rules.books.items()},
        pagers=settings.look_up(pagers).lacks,
        console_url=console_url,
        unfit=tuple(unfit),
    )


def _shared(
    specs: Mapping[_DestinationKey, DestinationSpec], configs: Mapping[_DestinationKey, object]
) -> Iterator[tuple[_DestinationKey, str]]:
    """The destinations that a setting leads to where the other stream writes, and its name.

    What rules write out was compared when they were loaded.
    """
    kinds = discover()
    writes = {
        key: (specs[key].kind, kinds[specs[key].kind](config).address, specs[key].secrets)
        for key, config in configs.items()
    }
    for key, address in writes.items():
        named = sorted(settings_in(specs[key].config))
        if named and any(other[0] is not key[0] and written == address for other, written in writes.items()):
            yield key, named[0]


def _configured(spec: DestinationSpec, settings: Settings) -> tuple[object, list[Lack]]:
    """The config of a destination with its settings' values, and all that the destination lacks."""
    config = spec.config
    held = settings.look_up(settings_in(config))
    lacks = [*settings.look_up(spec.secrets).lacks, *held.lacks]
    for name, value in held.values.items():
        if isinstance(config, Config):
            try:
                config = with_setting(config, name, value)
            except ValidationError:
                lacks.append(Lack(name, Why.UNFIT))
    lacks += [Lack(host, Why.EXAMPLE) for host in hosts_in(config) if is_example(host)]
    return config, lacks

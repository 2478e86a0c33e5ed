"""Which contexts are asked, and as which cluster each of them counts: `--context [NAME=]CONTEXT`. Pure.

A context is taken to be called as its cluster, as `az aks get-credentials` calls it, and as `aws` and `gcloud` call those of
theirs; where it is not, NAME says the cluster. None is asked that nobody named: to ask runs the programs of a kubeconfig.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from router.domain.errors import BadUsage
from router.domain.patterns import glob_pattern, is_glob

_SHOWN = 10
"""How many contexts are named of those that there are."""


@dataclass(frozen=True, slots=True)
class NamedContext:
    """A context that is asked.

    Attributes:
        name: the name of its cluster.
        context: the context.
    """

    name: str
    context: str


def contexts_for(arguments: Iterable[str], known: Sequence[str]) -> tuple[NamedContext, ...]:
    """The contexts that arguments name, each once; raises BadUsage where one is not there, or two are of one name.

    What two clusters answer under one name would be judged as one: sensors of this one, and nodes of that one.
    """
    found = tuple(dict.fromkeys(one for argument in arguments for one in _contexts_for(argument, known)))
    by_name: dict[str, NamedContext] = {}
    for one in found:
        other = by_name.setdefault(one.name.lower(), one)
        if other.context != one.context:
            raise BadUsage(
                f"--context {one.name}: two contexts count as it, {other.context} and {one.context}; "
                "leave one out, or write NAME=CONTEXT"
            )
    return found


def _contexts_for(argument: str, known: Sequence[str]) -> Iterator[NamedContext]:
    if argument in known:  # a context may be called anything
        yield NamedContext(argument, argument)
        return
    name, separator, context = (part.strip() for part in argument.partition("="))
    if not separator:
        name, context = "", argument
    elif not name or not context:
        raise BadUsage(f"--context {argument}: has nothing on one side of =; write NAME=CONTEXT")
    if is_glob(context) and context not in known:
        if name:
            raise BadUsage(f"--context {argument}: one name for several contexts; name each by itself")
        found = [one for one in known if glob_pattern(context).match(one)]
    else:
        found = [one for one in known if one == context]
    if not found:
        raise BadUsage(f"--context {argument}: is in no kubeconfig; {_there_are(known)}")
    yield from (NamedContext(name or one, one) for one in found)


def _there_are(known: Sequence[str]) -> str:
    if not known:
        return "there is no context at all; name the file with --kubeconfig"
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    return f"there are {', '.join(known[:_SHOWN])}{more}"

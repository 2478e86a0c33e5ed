"""Whether a text that `contains` looks for tells one signal from the next, or is in all of them.

A resource id is `/subscriptions/ID/resourceGroups/GROUP/providers/NAMESPACE/TYPE/NAME`, and only its group and its name tell
resources of one kind apart. So a text is read along that form, part by part, until it says something that is not in each id.

Names in other clouds are ARNs (`arn:aws:eks:REGION:ACCOUNT:cluster/NAME`), Google's
(`container.googleapis.com/projects/P/zones/Z/clusters/NAME`), what a connector calls a resource
(`.../securityConnectors/CONNECTOR/securityentitydata/NAME`), and images (`/repositories/NAME/images/sha256:DIGEST`). Only what
stands for NAME and DIGEST tells resources apart.

https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
https://cloud.google.com/apis/design/resource_names
"""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Mapping
from enum import Enum, auto
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

from router.domain.patterns import glob_pattern
from router.domain.suppression import Field

_TABLE = tomllib.loads(files("router.rulebook").joinpath("resource_id_words.toml").read_text(encoding="utf-8"))
_AZURE, _CLOUDS = _TABLE["azure"], _TABLE["clouds"]

FEWEST = 3
"""Letters and digits that a text must have at least, and also what it says of a group or a name, unless it is whole."""


_PUNCTUATION = " ./\\-_:@"

_WITH_IDS = frozenset({"resourceid", "azureid", "subscriptionid", "compromisedentity"})
_EXTENDED = "extendedproperties."


class _IdPart(Enum):
    """What every id has between its slashes, in this order; a group and a name stand between."""

    SUBSCRIPTIONS = auto()
    ID = auto()
    GROUPS = auto()
    PROVIDERS = auto()
    NAMESPACE = auto()
    TYPE = auto()


_NEXT: Mapping[_IdPart, frozenset[_IdPart]] = {
    _IdPart.SUBSCRIPTIONS: frozenset({_IdPart.ID}),
    _IdPart.ID: frozenset({_IdPart.GROUPS, _IdPart.PROVIDERS}),
    _IdPart.GROUPS: frozenset(),
    _IdPart.PROVIDERS: frozenset({_IdPart.NAMESPACE}),
    _IdPart.NAMESPACE: frozenset({_IdPart.TYPE}),
    _IdPart.TYPE: frozenset(),
}
_ANY = frozenset(_IdPart)

_ANY_DIGIT = "\0"
_SPELLED = {
    _IdPart.SUBSCRIPTIONS: "\nsubscriptions\n",
    _IdPart.GROUPS: "\nresourcegroups\n",
    _IdPart.PROVIDERS: "\nproviders\n",
    _IdPart.NAMESPACE: "".join(f"\nmicrosoft.{name}\n" for name in _AZURE["namespaces"]),
    _IdPart.TYPE: "".join(f"\n{name}\n" for name in _AZURE["types"]),
}
"""The names that a part may have, each between line ends, by which a piece of one is found."""

_END = "\n"
_HEXADECIMAL = re.compile(r"[0-9a-f]")
_ID_SHAPE = f"{_END}{'-'.join(_ANY_DIGIT * length for length in (8, 4, 4, 4, 12))}{_END}"
"""A subscription's id between line ends."""
_WORD = re.compile(r"[a-z0-9.]+")
_OF_MICROSOFT = re.compile(r"microsoft\.[a-z0-9.]*")


def find_breadth(text: str, field: Field) -> str | None:
    """Why a text tells nothing apart in a field, as a complaint; None where it does."""
    return _find_breadth(text.casefold(), field.name in _WITH_IDS or field.name.startswith(_EXTENDED))


def names_many(text: str, field: Field) -> bool:
    """Whether a whole value of a field stands for a subscription, an account, a project or a connector, not for a resource."""
    return field.name in _WITH_IDS and find_breadth(f"{text.strip().rstrip('/')}/", field) is not None


@lru_cache(maxsize=4096)
def _find_breadth(text: str, has_ids: bool) -> str | None:
    if _letters_in(text) < FEWEST:
        return f"has fewer than {FEWEST} letters or digits, which almost every value has in it; write more of it"
    if text.strip(_PUNCTUATION) in _AZURE["words"] or (has_ids and _is_in_each_id(text.strip())):
        return (
            "is in every value: a rule may not cover a whole alert type; "
            "write it with a group or a resource, such as /resourceGroups/rg-build/"
        )
    if has_ids and is_in_each_cloud_id(text.strip()):
        return (
            "is in the names of all resources of a cloud, an account, a project or a connector: "
            "a rule may not cover a whole alert type; write it with a resource, such as :cluster/shop-prod"
        )
    return None


def _letters_in(text: str) -> int:
    return sum(map(str.isalnum, text))


class _Part(NamedTuple):
    """What stands between two separators; it may begin early where nothing is before it, and end early at the end."""

    text: str
    is_first: bool
    is_last: bool

    @property
    def piece(self) -> str:
        """It with a line end where it is whole, by which it is found in words between line ends."""
        return f"{'' if self.is_first else _END}{self.text}{'' if self.is_last else _END}"

    @property
    def is_name(self) -> bool:
        """Whether it is whole, or long enough to tell names apart."""
        return not (self.is_first or self.is_last) or _letters_in(self.text) >= FEWEST


def _parts_of(texts: list[str]) -> list[_Part]:
    return [_Part(text, place == 0, place == len(texts) - 1) for place, text in enumerate(texts)]


def _is_in_each_id(text: str) -> bool:
    before = _ANY
    for part in _parts_of(text.split("/")):
        found = before & _meanings_of(part, behind_any=before is _ANY) if part.text else _ANY
        if not found and part.is_name:
            return False
        before = frozenset().union(*(_NEXT[one] for one in found)) if part.text and found else _ANY
    return True


def _meanings_of(part: _Part, *, behind_any: bool) -> frozenset[_IdPart]:
    """What a part may be of every id."""
    meanings = {meaning for meaning, names in _SPELLED.items() if part.piece in names}
    if _HEXADECIMAL.sub(_ANY_DIGIT, part.piece) in _ID_SHAPE:
        meanings.add(_IdPart.ID)
    if _OF_MICROSOFT.fullmatch(part.text):
        meanings.add(_IdPart.NAMESPACE)
    if not behind_any and _WORD.fullmatch(part.text):
        meanings |= {_IdPart.NAMESPACE, _IdPart.TYPE}
    return frozenset(meanings)


# The same of names in other clouds.


_REGIONS = "".join(
    f"{_END}{area}-{direction}{_END}" for area in _CLOUDS["areas"] for direction in _CLOUDS["directions"]
)
_FORMS = "".join(f"{_END}{word}{_END}" for word in _CLOUDS["forms"])
"""The words between line ends, by which a piece of one is found."""

_WHOLE = frozenset([*_CLOUDS["services"], *_CLOUDS["kinds"]])
_SHORT = "".join(f"{_END}{word}{_END}" for word in _WHOLE)
_OVER_MANY = frozenset({"projects", "zones", "locations", "regions", "securityconnectors", "subscriptions"})
"""Behind these stands the name of what holds many resources."""
_NAMELESS = frozenset({"s3", "sns", "sqs"})
"""Services whose ARNs name a resource without saying its kind."""

_ARN = re.compile(r"arn:[a-z-]*:(?P<service>[a-z0-9-]*):[a-z0-9-]*:[0-9]*:(?P<rest>.*)", re.DOTALL)
_SEPARATOR = re.compile(r"[/:\s]+")
_REGION = re.compile(r"(?P<area>[a-z-]+?)(?:-|(?P<number>-?[0-9]{1,2})(?:-?[a-z])?)?")  # or a zone of one
_ACCOUNT = re.compile(r"[0-9]{10,13}")
_DIGITS = re.compile(r"[0-9]{1,13}")
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SECURITY = ("microsoft.sec", "securityconnectors")
_ENTITY = "securityentitydata"
_ANY_NAME = "\0" * 8  # of which no glob has a piece


def is_in_each_cloud_id(text: str) -> bool:
    """Whether a text, in lower case, says nothing that tells one resource of another cloud from the next."""
    if arn := _ARN.search(text):
        return not _names_in_arn(arn["service"], arn["rest"])
    parts = _parts_between(text)
    words = [part.text for part in parts]
    if "projects" in words and (found := _find_in_project(parts, words.index("projects") + 2)) is not None:
        return not found
    return not any(_is_name(parts, words, place) for place in range(len(parts)))


def begins_many(text: str) -> bool:
    """Whether what begins so may be anything of a connector, an account or a project: a word such as `arn`, or `aws-ec2-`."""
    text = text.casefold()
    is_form = any("." not in form and form.startswith(text) for form in _CLOUDS["forms"])
    return is_form or _is_made_up(text) or is_in_each_cloud_id(f"/{text}/")


def fits_made_up(glob: str) -> bool:
    """Whether a glob of names fits all resources of one kind as a connector calls them, such as `aws-?c2-inst*`."""
    fits = glob_pattern(glob).match
    kinds = itertools.product(("aws", "gcp"), _CLOUDS["services"], _CLOUDS["kinds"])
    return not glob.startswith("*") and any(fits(f"{'-'.join(kind)}-{_ANY_NAME}") for kind in kinds)


def _parts_between(text: str) -> list[_Part]:
    return [part for part in _parts_of(_SEPARATOR.split(text)) if part.text]


def _names_in_arn(service: str, rest: str) -> bool:
    """Whether the last field of an ARN names a resource; what is before it is of all in an account."""
    kind, *names = _parts_between(f":{rest}") or [_Part("", is_first=False, is_last=True)]
    if not names:
        return kind.is_name and (service in _NAMELESS or not _is_piece(kind))
    return any(name.is_name for name in names)


def _find_in_project(parts: list[_Part], start: int) -> bool | None:
    """Whether what follows a project's name names a resource; None where nothing follows, or something before may."""
    if start >= len(parts) or parts[start - 2].is_first or not all(map(_is_piece, parts[: start - 2])):
        return None
    rest = [part for part in parts[start:] if part.text != "global"]
    pairs = zip(rest[::2], rest[1::2], strict=False)
    return any(kind.text not in _OVER_MANY and name.is_name for kind, name in pairs)


def _is_name(parts: list[_Part], words: list[str], place: int) -> bool:
    part = parts[place]
    before = words[place - 1] if place else ""
    after = words[place + 1] if place + 1 < len(words) else ""
    if before in _OVER_MANY or after in ("resourcegroups", "zones", "locations", "regions", _ENTITY):
        return False
    if before == _ENTITY:
        return part.is_name and not (part.is_last and _is_made_up(part.text))
    if before == "resourcegroups" or (not place and after == "providers"):
        # Of what lies in a group, only connectors are Microsoft.Security's.
        return part.is_name and not any(word.startswith(_SECURITY) for word in words[place:])
    if before in ("repositories", "clusters", "cluster", "instances") and after:
        return part.is_name
    return part.is_name and not _is_piece(part)


def _is_made_up(text: str) -> bool:
    """Whether it is how a connector begins the names of all resources of one kind, such as `aws-ec2-`."""
    return all(word in _WHOLE or word in ("elastic", "ip") for word in text.split("-") if word)


def _is_piece(part: _Part) -> bool:
    """Whether a part is a word of the forms, a service, a kind, a region, a zone or an account, or a piece of one."""
    text = part.text
    if part.piece in _FORMS or (_END in part.piece and part.piece in _SHORT):
        return True
    is_number = (_DIGITS if part.is_first or part.is_last else _ACCOUNT).fullmatch(text) is not None
    is_word = text in _WHOLE or text.endswith(".googleapis.com")
    is_begun = part.is_last and text.endswith("-") and _is_made_up(text)
    return is_word or is_number or is_begun or _is_region(part) or _GUID.fullmatch(text) is not None


def _is_region(part: _Part) -> bool:
    region = _REGION.fullmatch(part.text)
    if region is None:
        return False
    is_cut = part.is_last and not region["number"]
    return _Part(region["area"], part.is_first, is_cut).piece in _REGIONS

"""rules/owners.yaml: who answers for what, what subscriptions are called, and where the runbooks are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from operator import attrgetter
from typing import Annotated, Self
from urllib.parse import parse_qsl

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from router.domain.locations import names_of
from router.domain.owners import NO_OWNERS, NO_SCOPES, NamedScope, NamedScopes, Owner, Owners, Ownership
from router.domain.resources import CloudLocation
from router.domain.rulebook import Runbook
from router.domain.signals import Finding, Signal
from router.domain.tags import Tags, TagText
from router.domain.urls import split_url
from router.domain.values import Value
from router.rulebook.documents import Document
from router.rulebook.folder import Folder
from router.rulebook.patterns import ACCOUNT, SECRET, SUBSCRIPTION, compile_globs
from router.rulebook.tag_files import read_tags
from router.rulebook.validation_messages import complaints_of, find_sound
from router.rulebook.when_form import Form, TagName, Word, Words, without_twins

KEY = "runbooks"
LONGEST = 500
"""Characters of an address; ours, so that it is shown whole everywhere."""

_CREDENTIALS = frozenset(
    {"access_token", "api_key", "apikey", "auth", "client_secret", "code", "password", "pwd", "secret", "sig", "token"}
)
"""Parameters whose values open something, as their names say."""


def _page(text: str) -> str:
    """An address that people open. The router never asks it, so that it may have a query, as the pages of many wikis do."""
    if not text.lower().startswith("https://"):
        raise ValueError("must be an https URL")
    url = split_url(text)
    parameters = parse_qsl(url.query, keep_blank_values=True) + parse_qsl(url.fragment, keep_blank_values=True)
    if any(name.lower() in _CREDENTIALS for name, _ in parameters):
        raise ValueError("must carry no credential: everybody who is notified reads the address")
    return text


type PageUrl = Annotated[
    str,
    StringConstraints(max_length=LONGEST),
    AfterValidator(_page),
    Field(json_schema_extra={"format": "uri", "pattern": "^[Hh][Tt][Tt][Pp][Ss]://"}),
]
type Runbooks = dict[Word, PageUrl]


def compile_runbooks(written: Mapping[str, object]) -> tuple[Runbook, ...]:
    """The runbooks of a file in their order."""
    return tuple(_runbook(glob, url) for glob, url in written.items() if isinstance(url, str))


def _runbook(glob: str, url: str) -> Runbook:
    fits = compile_globs((glob,))

    def is_about(signal: Signal) -> bool:
        if fits(signal.type):
            return True
        return isinstance(signal, Finding) and (fits(signal.category) or any(map(fits, signal.categories)))

    return Runbook(is_about, url)


FILE = "owners.yaml"

ANY = "*"
"""The glob of a key that is not given."""

OF_OWNERS = frozenset({"group", "service", "pager"})
"""What an entry says of owners; every other key but `environment` says what the entry matches."""

_OF_TAGS = ("group", "service", "environment")
"""What an entry may make of values of tags."""

type Label = Annotated[str, StringConstraints(min_length=1, max_length=100)]
type SubscriptionId = Annotated[str, StringConstraints(pattern=SUBSCRIPTION)]
type TagGlobs = Annotated[dict[TagName, Word], AfterValidator(without_twins)]
type AccountId = Annotated[str, StringConstraints(pattern=ACCOUNT)]


class SecretForm(Form):
    """A secret by the name of its app setting."""

    secret: Annotated[str, StringConstraints(pattern=SECRET)]


class OwnerForm(Form):
    """Whose the resources are that match all of the globs that are given."""

    subscription: Word = "*"
    """A glob of the subscription's id."""
    resource_group: Word = "*"
    """A glob of the resource group's name; what a connector brings from another cloud is in none."""
    account: Word = "*"
    """A glob of the AWS account's id."""
    project: Word = "*"
    """A glob of the GCP project's id or number."""
    cluster: Word = "*"
    """A glob of the Kubernetes cluster's name, in any cloud."""
    namespace: Word = "*"
    """A glob of the Kubernetes namespace; of several that an alert names, any will do."""
    connector: Word = "*"
    """A glob of the name, the ARM id or the GUID of the security connector to another cloud."""
    resource: Word = "*"
    """A glob of the resource's id: an ARM id, an ARN, a name of Google's, or what a connector calls it."""
    tag: TagGlobs = Field(default_factory=dict)
    """Globs of the values of tags by their names; each of these tags must be there."""
    group: Word | SkipJsonSchema[None] = Field(default=None)
    """The assignment group in the ticket system; {tag.NAME} in it stands for the value of a tag that the entry names."""
    service: Word | SkipJsonSchema[None] = Field(default=None)
    """The service; {tag.NAME} in it likewise."""
    pager: SecretForm | SkipJsonSchema[None] = Field(default=None)
    """The routing key of the owner's own pager."""
    environment: Label | SkipJsonSchema[None] = Field(default=None)
    """The environment, such as production; {tag.NAME} in it likewise. An entry that says only this owns nothing."""

    @property
    def has_owner(self) -> bool:
        """Whether it says an owner. One with an environment alone must not take what it matches from the team that owns it."""
        return self.environment is None or not self.model_fields_set.isdisjoint(OF_OWNERS)

    @property
    def has_values_of_tags(self) -> bool:
        """Whether values of tags stand in it, without which it is passed over."""
        return any("{" in text for part in _OF_TAGS if (text := getattr(self, part)) is not None)

    @field_validator(*_OF_TAGS)
    @classmethod
    def _has_tags_of_the_entry(cls, text: str | None, info: ValidationInfo) -> str | None:
        # Where the tags themselves have a problem, that one is said.
        if text is not None and "tag" in info.data:
            TagText.parse(text, info.data["tag"])
        return text

    @field_validator("pager", mode="before")
    @classmethod
    def _is_of_no_tag(cls, value: object) -> object:
        if "{tag." in str(value):
            raise ValueError("takes no tag: who may tag a resource must not choose who is paged; name one secret")
        return value


class NamedScopeForm(Form):
    """How people call a subscription, an account or a project."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    name: Label | SkipJsonSchema[None] = Field(default=None)
    """Its name."""
    environment: Label | SkipJsonSchema[None] = Field(default=None)
    """The environment of all that is in it, such as production, where no owner's entry says another one."""

    @field_validator("name", "environment")
    @classmethod
    def _is_of_no_tag(cls, text: str | None) -> str | None:
        if text is not None and "{tag." in text:
            raise ValueError("takes no tag; an entry of owners does, beside the tag that it names")
        return text

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.name is None and self.environment is None:
            raise ValueError("says nothing; give it a name, an environment, or both")
        return self


class OwnersForm(Form):
    """Owners of resources; of several entries that match, the first one counts. And what things are called."""

    tags: Words = Field(default_factory=list)
    """Files with the tags of resources, resource groups and subscriptions, as `az graph query` writes them; `live` stands for
    those that `coverage check --live` keeps in the state."""
    owners: list[OwnerForm]
    subscriptions: dict[SubscriptionId, NamedScopeForm] = Field(default_factory=dict)
    """Azure subscriptions by their ids."""
    accounts: dict[AccountId, NamedScopeForm] = Field(default_factory=dict)
    """AWS accounts by their ids."""
    projects: dict[Word, NamedScopeForm] = Field(default_factory=dict)
    """GCP projects by their ids or numbers."""
    runbooks: Runbooks = Field(default_factory=dict)
    """Addresses of runbooks by globs of the alert type, or of a finding's type or category."""


class OwnersFile(Value, kw_only=True):
    """What owners.yaml says, top to bottom."""

    owners: Owners = NO_OWNERS
    scopes: NamedScopes = NO_SCOPES
    runbooks: tuple[Runbook, ...] = ()
    form: OwnersForm | None = None
    document: Document | None = None


def read_owners(folder: Folder) -> OwnersFile:
    """What the owners.yaml of a rules directory says; nothing where it is absent or has problems."""
    if not folder.has(FILE) or (document := folder.read(FILE)) is None:
        return OwnersFile()
    for path, message, code in complaints_of(OwnersForm, document.value):
        folder.note(document, path, message, code=code)
    if (form := find_sound(OwnersForm, document.value)) is None:
        return OwnersFile(document=document)
    return OwnersFile(
        owners=Owners(tuple(map(_ownership, form.owners, count(1))), read_tags(folder, document, form.tags)),
        scopes=NamedScopes(
            subscriptions=_by_id(folder, document, "subscriptions", form.subscriptions),
            accounts=_by_id(folder, document, "accounts", form.accounts),
            projects=_by_id(folder, document, "projects", form.projects),
        ),
        runbooks=compile_runbooks(form.runbooks),
        form=form,
        document=document,
    )


def _by_id(
    folder: Folder, document: Document, key: str, forms: Mapping[str, NamedScopeForm]
) -> Mapping[str, NamedScope]:
    scopes: dict[str, NamedScope] = {}
    for id, form in forms.items():
        if id.lower() in scopes:
            twice = "is given twice; ids are the same whatever their case"
            folder.note(document, (key, id), twice, code="duplicate-key")
        scopes[id.lower()] = NamedScope(name=form.name, environment=form.environment)
    return scopes


# The meaning of the keys by which an entry knows what it matches. A resource that lacks a property belongs only where any value
# of it would do. A tag that an entry names must be there.

_PLACES: Mapping[str, Callable[[CloudLocation], tuple[str | None, ...]]] = {
    "account": lambda location: (location.account,),
    "cluster": lambda location: (location.cluster,),
    "project": attrgetter("projects"),
    "namespace": attrgetter("namespaces"),
    "connector": attrgetter("connectors"),
}


def _owns(form: OwnerForm) -> Callable[[str | None, str | None], bool]:
    """Whether a subscription and a resource group are meant."""
    in_subscription, in_group = _or_any(form.subscription), _or_any(form.resource_group)
    return lambda subscription, group: in_subscription(subscription) and in_group(group)


def _is_at(form: OwnerForm) -> Callable[[CloudLocation], bool] | None:
    """Whether a resource is where the globs say; None where any location would do."""
    globs = [(of, compile_globs((glob,))) for key, of in _PLACES.items() if (glob := getattr(form, key)) != ANY]
    return (lambda location: all(any(map(fits, of(location))) for of, fits in globs)) if globs else None


def _has_name_and_tags(form: OwnerForm) -> Callable[[Signal, Tags], bool] | None:
    """Whether the resource of a signal is called so and has these tags; None where any would do."""
    if form.resource == ANY and not form.tag:
        return None
    is_named, by_tag = _or_any(form.resource), {name: compile_globs((glob,)) for name, glob in form.tag.items()}
    return lambda signal, known: (
        (form.resource == ANY or any(map(is_named, names_of(signal))))
        and all(fits(known.find(signal.resource, name)) for name, fits in by_tag.items())
    )


def _or_any(glob: str) -> Callable[[str | None], bool]:
    return (lambda _: True) if glob == ANY else compile_globs((glob,))


def _ownership(form: OwnerForm, number: int) -> Ownership:
    owner = Owner(form.group, form.service, form.pager.secret if form.pager else None)
    return Ownership(
        owns=_owns(form),
        owner=owner if form.has_owner else None,
        is_at=_is_at(form),
        environment=form.environment,
        has_name_and_tags=_has_name_and_tags(form),
        from_tags={
            part: text
            for part in _OF_TAGS
            if (written := getattr(form, part)) is not None and (text := TagText.parse(written, form.tag)).names
        },
        number=number,
    )

"""rules/owners.yaml: who answers for what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import Field, StringConstraints
from pydantic.json_schema import SkipJsonSchema

from router.domain.clouds import CloudLocation
from router.domain.rulebook import Owner, Ownership
from router.rulebook.folder import Folder
from router.rulebook.globs import compile_globs
from router.rulebook.patterns import SECRET
from router.rulebook.validation_messages import complaints_of, find_sound
from router.rulebook.when_form import Form, Word

FILE = "owners.yaml"


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
    group: Word | SkipJsonSchema[None] = Field(default=None)
    """The assignment group in the ticket system."""
    service: Word | SkipJsonSchema[None] = Field(default=None)
    """The service."""
    pager: SecretForm | SkipJsonSchema[None] = Field(default=None)
    """The routing key of the owner's own pager."""


class OwnersForm(Form):
    """Owners of resources; of several entries that match, the first one counts."""

    owners: list[OwnerForm]


def read_owners(folder: Folder) -> tuple[Ownership, ...]:
    """The owners of a rules directory, top to bottom; none where it names none."""
    if not folder.has(FILE) or (document := folder.read(FILE)) is None:
        return ()
    for path, message in complaints_of(OwnersForm, document.value):
        folder.note(document, path, message)
    form = find_sound(OwnersForm, document.value)
    return tuple(map(_ownership, form.owners)) if form is not None else ()


def _ownership(form: OwnerForm) -> Ownership:
    return Ownership(
        owns=_owns(form.subscription, form.resource_group),
        owner=Owner(form.group, form.service, form.pager.secret if form.pager else None),
        is_at=_is_at(form.account, form.project, form.cluster),
    )


def _owns(subscription: str, resource_group: str) -> Callable[[str | None, str | None], bool]:
    """Whether a resource belongs; a resource without the property belongs only where any value would do."""
    in_subscription, in_group = _or_any(subscription), _or_any(resource_group)
    return lambda subscription, group: in_subscription(subscription) and in_group(group)


def _is_at(account: str, project: str, cluster: str) -> Callable[[CloudLocation], bool] | None:
    """Whether a resource is where these globs say; None where any location would do."""
    if (account, project, cluster) == ("*", "*", "*"):
        return None
    in_account, in_project, in_cluster = _or_any(account), _or_any(project), _or_any(cluster)
    return lambda location: (
        in_account(location.account)
        and any(map(in_project, location.projects or (None,)))
        and in_cluster(location.cluster)
    )


def _or_any(glob: str) -> Callable[[str | None], bool]:
    return (lambda _: True) if glob == "*" else compile_globs((glob,))

"""How Defender's words become ATT&CK ids: by rules/attack.yaml where there is one, else by the program's own table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from router.domain.catalogue import AttackTable, word_of
from router.domain.errors import BadFile
from router.rulebook.documents import Document
from router.rulebook.folder import Folder
from router.rulebook.starter import STARTER
from router.rulebook.validation_messages import complaints_of, find_sound
from router.rulebook.when_form import Form, TechniqueId, Word

FILE = "attack.yaml"

type Ids = Annotated[
    list[Word],
    BeforeValidator(lambda ids: ids if isinstance(ids, list) else [ids], json_schema_input_type=Word | list[Word]),
]


class AttackForm(Form):
    """Defender's words and the ATT&CK ids that they stand for, at one version of ATT&CK."""

    version: Word
    """The version of ATT&CK that the ids are of."""
    tactics: dict[Word, Word]
    """The names of the tactics, by id."""
    intents: dict[Word, Ids]
    """The tactic ids of Defender's intents; none for an intent that says nothing."""
    names: dict[Word, Ids] = Field(default_factory=dict)
    """Older names of tactics that messages and rules still use."""
    successors: dict[TechniqueId, TechniqueId] = Field(default_factory=dict)
    """Revoked techniques and what took their place."""
    techniques: dict[TechniqueId, Ids] = Field(default_factory=dict)
    """The tactics of techniques that say more than the intent they arrive with."""


def load_attack(path: Path) -> AttackTable:
    """The table in a file; raises BadFile, with every problem, where it cannot be used."""
    folder = Folder(path.parent)
    table = _table_in(folder, folder.read(path.name))
    if not folder.is_sound:
        raise BadFile("\n".join(map(str, folder.problems)))
    return table


def read_attack(folder: Folder) -> AttackTable:
    """The table of a rules directory, else the starter's; where there is one that cannot be used, that is a problem."""
    if not folder.has(FILE):
        return _table_in(folder, folder.borrow(FILE, STARTER))
    # No rule is blamed for naming a tactic that a table that cannot be read does not have.
    return _find_table(folder, folder.read(FILE)) or load_attack(STARTER / FILE)


def _table_in(folder: Folder, document: Document | None) -> AttackTable:
    return _find_table(folder, document) or AttackTable(tactics={}, words={}, successors={}, techniques={})


def _find_table(folder: Folder, document: Document | None) -> AttackTable | None:
    """The table that a file holds; None, and a problem, where it holds none."""
    if document is None:
        return None
    for path, message, code in complaints_of(AttackForm, document.value):
        folder.note(document, path, message, code=code)
    form = find_sound(AttackForm, document.value)
    if form is None:
        return None
    _check_ids(folder, document, form)
    return _table_of(form)


def _check_ids(folder: Folder, document: Document, form: AttackForm) -> None:
    for table in ("intents", "names", "techniques"):
        for word, ids in getattr(form, table).items():
            for id in (id for id in ids if id not in form.tactics):
                words = f"names no tactic {id!r}; add it to tactics, or mend it"
                folder.note(document, (table, word), words, code="unknown-tactic")


def _table_of(form: AttackForm) -> AttackTable:
    words: dict[str, tuple[str, ...]] = {word_of(id): (id,) for id in form.tactics}
    words |= {word_of(name): (id,) for id, name in form.tactics.items()}
    words |= {word_of(word): tuple(ids) for table in (form.names, form.intents) for word, ids in table.items()}
    return AttackTable(
        version=form.version,
        tactics=form.tactics,
        words=words,
        successors={old: _current(old, form.successors) for old in form.successors},
        techniques={technique: tuple(ids) for technique, ids in form.techniques.items()},
    )


def _current(id: str, successors: dict[str, str]) -> str:
    """The end of a chain of successors; in a ring, wherever it closes."""
    met = {id}
    while (heir := successors.get(id)) and heir not in met:
        met.add(heir)
        id = heir
    return id

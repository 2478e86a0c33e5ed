"""What rules say in vain, found by comparing them: with one another, with the catalogue, with what a stream can bring.

    subject         what lints look at
    known_types     the alert types that rules may name; type_messages is what to say of others
    linting         all lints, one after the other

    unknown_types       suppression rules about types that nobody knows, or that the other stream has
    broad_types         declared types that are Defender's own
    covered_scopes      suppression rules that another one covers; scope_index finds those worth comparing
    unreachable_owners  entries of owners.yaml below one that matches all that they match
    owners_in_vain      entries of owners.yaml that match nothing; impossible_globs knows which globs fit nothing
    unknown_tags        tags and values of tags that no resource has
    dead_routes         routes that nothing can match; contradictions is what they ask in vain
    covered_routes      routes that change nothing beside another one
    stray_files         files that nothing reads where they stand

Each lint is a file with one function, which takes a `Subject` and yields warnings. `rules check` runs them and a start does
not, so a lint may take its time; but where there are a hundred thousand rules it must not compare each with each.
"""

from router.rulebook.lints.known_types import KnownTypes
from router.rulebook.lints.linting import lint
from router.rulebook.lints.subject import Subject

__all__ = ["KnownTypes", "Subject", "lint"]

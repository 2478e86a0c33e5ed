"""Turns `rules/` into a Rulebook, and says everything that is wrong with it, with file and line.

    problems        what is wrong, where
    folder          the directory as it is read: files, their hash, their problems
    documents       a file's text, what it says and on which line, or why it cannot be read
    validation_messages  what pydantic objects to, in the words of a rules file
    patterns        regular expressions that texts in rules files must match, and globs
    policy_form     the shape of policy.yaml         policy        its meaning
    when_form       the shape of a route's `when`    clauses       its meaning
    destinations    the entries of `destinations:`
    suppression_directory, suppression_rule   the suppression rules, and one of them
    scope, scope_breadth                     what a rule holds, and whether that is too much
    silence_scope   what a silence holds, and when, as a person writes it
    owners, attack, catalogue, examples     the other tables
    tag_files       which tags there are, as `az graph query` printed them
    starter         the rules to begin with
    schemas         the published JSON Schemas
    loading         all of it together
    lints           what rules say in vain, which only `rules check` asks

Nothing here looks at the clock or at the environment.
"""

from router.rulebook.attack import load_attack
from router.rulebook.catalogue import load_catalogue
from router.rulebook.examples import Example, has_examples, load_examples
from router.rulebook.lints import lint
from router.rulebook.loading import Loaded, RulesFile, load, load_all, read_rules_file
from router.rulebook.problems import Problem, in_order
from router.rulebook.schemas import schemas
from router.rulebook.starter import STARTER

__all__ = [
    "STARTER",
    "Example",
    "Loaded",
    "Problem",
    "RulesFile",
    "has_examples",
    "in_order",
    "lint",
    "load",
    "load_all",
    "load_attack",
    "load_catalogue",
    "load_examples",
    "read_rules_file",
    "schemas",
]

"""Turns `rules/` into a Rulebook, and says everything that is wrong with it, with file and line.

Nothing here looks at the clock or at the environment. `lints` finds what rules say in vain; only `rules check` asks it.
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

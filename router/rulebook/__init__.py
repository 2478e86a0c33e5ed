"""Turns `rules/` into a Rulebook, and says everything that is wrong with it, with file and line.

Nothing here looks at the clock or at the environment. What only commands ask, no start imports: `lints` finds what rules say
in vain, `examples` are what `rules test` tries, `schemas` tell editors what a file may say, `starter` is where rules begin.
"""

from router.rulebook.attack import load_attack
from router.rulebook.catalogue import load_catalogue
from router.rulebook.loading import Loaded, RulesFile, load, load_all, read_rules_file
from router.rulebook.problems import Problem, in_order

__all__ = [
    "Loaded",
    "Problem",
    "RulesFile",
    "in_order",
    "load",
    "load_all",
    "load_attack",
    "load_catalogue",
    "read_rules_file",
]

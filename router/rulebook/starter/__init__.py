"""The starter set: the rules that `alert-router init` writes, the demo routes by, and tests take as an example.

`rules/` at the top of a new clone says the same, and belongs to whoever cloned it: nothing of the program relies on it.
"""

from pathlib import Path

STARTER = Path(__file__).parent / "rules"
"""The directory of the starter set."""

REPOSITORY = Path(__file__).parent / "repository"
"""The directory of what stands beside the rules in a repository of their own."""

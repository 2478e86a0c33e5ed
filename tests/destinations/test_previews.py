"""Values by name as text for a terminal."""

from __future__ import annotations

from router.destinations.wording.fitting import lines_of


def test_a_list_has_a_line_for_each_item_where_it_has_several() -> None:
    """One item stands behind the name; what an item holds by name stands on its line."""
    values = {"hosts": ["a", "b"], "pods": ["web"], "none": [], "components": [{"name": "shop", "id": 1}], "text": "x"}
    assert list(lines_of(values)) == [
        "hosts:",
        "- a",
        "- b",
        "pods: web",
        "none:",
        "components: name: shop; id: 1",
        "text: x",
    ]


def test_what_stands_under_a_name_is_indented() -> None:
    """As deep as it stands."""
    values = {"fields": {"priority": {"name": "High"}, "labels": ["a", "b"]}}
    assert list(lines_of(values)) == ["fields:", "  priority:", "    name: High", "  labels:", "  - a", "  - b"]

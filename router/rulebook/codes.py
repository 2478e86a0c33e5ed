"""The sorts of problems that are found in rules, each by a code that never changes.

Other programs tell problems apart by the code: it is the ruleId of a SARIF report. A check gives its code as a literal,
`code="no-owner"`, and describes it here and in docs/rules.md; a test holds the three together.
"""

from __future__ import annotations

from collections.abc import Mapping

from router.rulebook.problems import INVALID

CODES: Mapping[str, str] = {
    # Files.
    "missing-file": "A file that the rules need is not there.",
    "unreadable": "A file or a directory cannot be read: it is not UTF-8, not JSON or not YAML.",
    "empty-file": "A file says nothing.",
    "file-not-read": "A file has an ending that is not read where it stands.",
    "stray-file": "A file or a directory stands where nothing reads it.",
    # What stands in any file.
    INVALID: "A value is not of the form that is wanted there.",
    "missing-key": "A key that is needed is not there.",
    "unknown-key": "A key means nothing where it stands.",
    "duplicate-key": "A key is given twice.",
    "duplicate-name": "A rule, a route or an example bears the name of another one.",
    "wrong-stream": "A value belongs to the other stream, and matches nothing in this one.",
    "retired": "An assessment or an alert type is named that Microsoft retired, deprecated or renamed.",
    # Suppression rules.
    "no-end": "A suppression rule, or an exception from coverage, has no end.",
    "end-too-far": "A suppression rule ends later than the policy allows, or an exception from coverage later than in a year.",
    "ended": "A suppression rule, or an exception from coverage, has ended and holds nothing.",
    "ends-soon": "A suppression rule ends soon.",
    "no-owner": "A suppression rule, or an exception from coverage, names no owner.",
    "whole-alert-type": "A suppression rule covers a whole alert type, or every type.",
    "whole-category": "A suppression rule covers a whole category of recommendations.",
    "broad-value": "A suppression rule looks for a text that almost every value has in it.",
    "empty-value": "An element of a scope has nothing to look for.",
    "wildcard-in-value": "An element looks for a text with a wildcard, which stands for itself.",
    "impossible-value": "An element looks for a value that no signal has.",
    "address-range": "A range of addresses is unclear or too wide.",
    "range-as-text": "A range of addresses stands where texts are compared.",
    "unknown-alert-type": "An alert type is named that is not known.",
    "title-as-type": "The title of an alert is named in place of its type.",
    "same-scope": "A suppression rule holds what another one holds.",
    "covered-scope": "A suppression rule holds nothing that a wider one does not hold.",
    "holds-most": "A suppression rule holds most of what its alert type may bring.",
    "unknown-operator": "An element of a scope has not exactly one operator that is known.",
    "unknown-field": "An element of a scope looks at a field that does not exist.",
    "not-portable": "A suppression rule works here, but not in Defender.",
    # Owners.
    "unreachable-owner": "An entry of owners.yaml is not reached, or not in Azure, since one above matches what it matches.",
    "dead-owner": "An entry of owners.yaml asks for what no resource has.",
    # Tags.
    "tag-file-name": "A file of tags is named that is none in the rules directory.",
    "partial-tag-file": "A file of tags holds a part of an answer only.",
    "unusable-tag-row": "A row in a file of tags does not say whose tags they are, or says no tags.",
    "contradictory-tags": "Two files say different values of one tag of one resource.",
    "no-tags": "A file of tags has none.",
    "unknown-tag": "A tag, or a value of one, is named that no resource has.",
    # Coverage.
    "covered-entry": "An entry of coverage.yaml is never reached, since those above it fit all that it fits.",
    "exception-in-vain": "An exception from coverage excuses what no entry expects.",
    "kind-not-said": "A workload is named, and not of which kind it is.",
    "wrong-rung": "A rung is named that such a workload does not have.",
    "plan-in-vain": "A plan is expected that protects nothing of that kind.",
    "replaced-plan": "A plan or a sub-plan is expected that can no longer be enabled.",
    "unknown-sub-plan": "A sub-plan is named that the plan does not have.",
    "unknown-extension": "An extension is named that is not known of the plan.",
    "impossible-silence": "A source of coverage.yaml may be silent for too short or too long a time.",
    "short-silence": "A source of coverage.yaml may be silent for less than the week between two snapshots.",
    "no-event-hub": "The id of an event hub is wanted, and this is none.",
    # Policies.
    "long-life": "Suppression rules may live so long that nobody looks at them again.",
    "calls-nobody": "A policy has people hear of no High alert, or of none of a plan.",
    "dead-route": "A route can match nothing that gets as far as the routes.",
    "dead-value": "One of the values of a route fits nothing that there is.",
    "wrong-plan": "A route names alert types and a plan that is none of theirs.",
    "quiet-in-vain": "A quiet route keeps nothing quiet, since another one takes all that it takes.",
    "route-twice": "A route takes what another one takes, and tells nobody else.",
    "quiet-route": "A route tells nobody of what may be grave.",
    "broad-types": "A policy declares a glob of alert types that fits Defender's own types.",
    "types-in-cspm": "A policy of cspm declares alert types.",
    "never-applies": "A setting never applies.",
    "unknown-tactic": "A tactic is named that ATT&CK does not have.",
    "unknown-plan": "A plan is named that Defender does not have.",
    "unknown-kind": "A destination is of a kind that does not exist.",
    "unknown-destination": "A destination is named that is not defined.",
    "unused-destination": "A destination is defined that nothing uses.",
    "owners-unheard": "A policy has people hear of rules, and a way to mail their owners that it does not use for that.",
    "unknown-property": "A destination withholds what nothing is known to have.",
    "reserved-name": "A destination or a rule bears a name that is reserved.",
    "shared-destination": "Both streams write to one place with one credential.",
    "wrong-lane": "A key or a stream does not go with the lane of the destination's kind.",
    "wrong-grouping": "Signals are grouped by what they do not have, or in a way that never ends.",
    "literal-secret": "A secret is written in the rules, or named in place of its app setting.",
}
"""What each code says of a problem, in one sentence."""

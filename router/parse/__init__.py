"""Parses what Defender exports: bytes become an Alert, a Finding, or Quarantined.

Pure and total: no body raises, and none costs more than time in proportion to its length.

    bodies.py        bytes -> signals; the only place that knows the order of the steps
    documents.py     bytes -> a JSON document, strictly first and leniently if that fails
    envelopes.py     an array, records, and what `az` and REST answer: documents that hold messages
    shapes.py        which of Defender's shapes a document has, by its keys and never by their case
    alerts.py        alerts of every form: flat, ARM, Resource Graph, a row of the SecurityAlert table
    products.py      whose an alert is
    azure_monitor.py alerts of Azure Monitor, in its common alert schema
    arm.py           what every posture message has: an ARM id, properties, what was done
    findings.py      recommendations and vulnerabilities
    recommendations.py, cves.py  what an individual recommendation adds: software, CVEs, image, rule, scanner, risk
    attack_paths.py  attack paths
    own_findings.py  what the router finds by itself: a silent source
    scores.py        secure score, its controls, regulatory compliance
    fields.py        what a field gives, however oddly it is written
    portal_times.py  times as the portal exports them, in the format of a region
    evidence.py      what a responder looks for first, out of entities and extended properties
    entity_facts.py  what each type of entity says in words
"""

from router.parse.bodies import LARGEST_BODY, MOST_ELEMENTS, is_empty_envelope, read_signals, split_body
from router.parse.envelopes import Answer, Continuation, answer_in
from router.parse.evidence import alerts_named_in, evidence_of

__all__ = [
    "LARGEST_BODY",
    "MOST_ELEMENTS",
    "Answer",
    "Continuation",
    "alerts_named_in",
    "answer_in",
    "evidence_of",
    "is_empty_envelope",
    "read_signals",
    "split_body",
]

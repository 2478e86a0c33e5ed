"""The three gates that may stand before a cluster, and what each of them does: nothing, audit, or deny. Pure.

Gatekeeper and Defender's image gate are webhooks: one without a ready pod that is set to ignore failures admits everything
without a word. Defender's misconfiguration gate needs no pod: the API server itself evaluates a ValidatingAdmissionPolicy.
"""

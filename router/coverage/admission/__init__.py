"""The three gates that may stand before a cluster, and what each of them does: nothing, audit, or deny. Pure.

They are unlike in kind. Gatekeeper and Defender's image gate are webhooks: a webhook without a ready pod that is set to ignore
failures admits everything without a word. Defender's misconfiguration gate needs no pod: the API server itself evaluates a
ValidatingAdmissionPolicy, and only where a binding says so.

    cluster_objects   the objects of one cluster, and which kinds of them were asked for
    effects           what a gate does, from nothing to denying, and in which namespaces
    webhooks          whether the API server asks a webhook about new pods, and whether its pods answer
    gatekeeper        the first gate
    defender          the second, which looks at images, and the third, which looks at objects
    gates             three gates -> one verdict, over all namespaces
"""

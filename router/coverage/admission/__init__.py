"""The three gates that may stand before a cluster, and what each of them does: nothing, audit, or deny.

They are unlike in kind. Gatekeeper and Defender's image gate are webhooks: a webhook without a ready pod that is set to ignore
failures admits everything and tells nobody. Defender's misconfiguration gate needs no pod: the API server itself evaluates a
ValidatingAdmissionPolicy, and only where a binding says so.

    cluster_objects        the objects of one cluster, and which kinds of them were asked for
    controllers            whether the pods that do a work are ready
    endpoints              whether the service before those pods leads to them
    namespaces             in which namespaces something looks at new pods
    webhooks               whether the API server asks a webhook about new pods
    effects                what a gate does, from nothing to denying
    gatekeeper             the first gate
    image_gate             the second
    object_gate            the third, which looks at objects and not at images
    refusals               events that show a gate refusing something
    gates                  three gates -> one verdict, over all namespaces
"""

"""What is asked of Azure and of clusters while the gate waits: probes, which yield requests and end in documents. Pure.

    probes      the form of a probe, and of an inquiry, whose later probes depend on what earlier ones found
    clouds      the endpoints of Azure's clouds, which alone are asked
    answers     an answer of HTTP -> an object, or the reason why there is none

Who asks is `router/app/live.py`: it signs in, waits and tries again. A probe sees the last answer, or `Unavailable` where none
came. What was refused, cut or unreadable becomes a document with a refusal, so that it is unknown and never covered.
"""

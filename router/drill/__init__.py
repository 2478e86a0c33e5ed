"""A drill: a test alert is raised, followed to the hub, to its decision and to every destination, and judged. Pure.

    subjects       what a drill is about, and which decisions on record are about its alerts
    expected       the destinations that it is to prove
    evidence       what is known of its alerts by now
    lives          the life of a signal -> what became of one alert of the drill
    verdict        what is expected, and what is known -> passed | failed (which hop) | not proven (why)
    results        the same for programs, and as a document of the state
    simulation     what Azure Resource Manager is asked to raise sample alerts, to list and to dismiss them
    listed         Defender's own list of alerts, and which of them are the drill's
    instructions   how a person raises what no API does: the test alerts of clusters and machines

Who reads the state, asks Azure and waits is `router/app/drill.py`.
https://learn.microsoft.com/azure/defender-for-cloud/alert-validation
"""

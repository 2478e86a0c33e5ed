"""Defender for Cloud on loopback, as far as a drill asks it: `with defender_in_thread(publish) as defender:`.

It takes the order to raise the sample alerts of a bundle, lists alerts and dismisses them, as Azure Resource Manager does; a
moment later it gives each sample to `publish`, as continuous export publishes it to a hub. `defender.faults` orders trouble;
`defender.exports`, `defender.lag` and their neighbours say how it behaves.

    double     the API                     samples    what it raises: as it is exported, and as it is listed

Not the service's: any token is believed, and nothing is throttled unless a test says so.
https://learn.microsoft.com/rest/api/defenderforcloud/alerts
"""

from tests.stack.defender.double import DefenderDouble, defender_in_thread
from tests.stack.defender.samples import Sample, samples_of_bundle

__all__ = ["DefenderDouble", "Sample", "defender_in_thread", "samples_of_bundle"]

"""`alert-router demo`: the main job on bundled samples, sent to a SOC on loopback.

It is in the wheel and is not deployed: nothing of `router` imports it but the command that starts it.

story         what happens in it, and the command
connection    the starter's rules, directed at the SOC
soc           the SOC on loopback: one double of each vendor, which the tests and `make stack` use too
samples       89 messages
"""

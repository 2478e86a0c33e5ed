"""Defender's plans at subscriptions and resources: what answers say of them, and how they are switched on.

answers       all answers about one plan at one subscription or resource, as one
switches      the switch that storage accounts and accounts of Cosmos DB have beside the plan
at_resource   whether a plan is on for one resource
details       its sub-plan, its extensions, and the remarks on it
extensions    whether one extension is on for one resource: what several judges of the rung integration ask
posture       whether foundational CSPM is known to be on, without which no recommendation proves anything
needs         whether a subscription has anything that a plan protects
joined        verdicts on the parts of something -> the verdict on the whole
remedies      the commands that ask for plans, and that switch them on
"""

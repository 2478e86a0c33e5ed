"""What `make bench` runs: the speeds that the design promises, each as a ratio in one run where there is one.

__main__.py         runs the measurements asked for, each in a process of its own, and writes one table
table.py            what a row of it says
workload.py         alerts and suppression rules, the same in every run
engines.py          the engines of the state, and new states on each
checkouts.py        programs of this checkout and of others

decision.py         bytes to decision, against orjson parsing the same bytes
start.py            imports, a cold process to its first batch, the shortest commands
door.py             function_app.py without a host
state.py            what a message costs: round trips, CPU, messages and deliveries a second
state_router.py     the router that it measures, in a process of its own
path.py             files to HTTP, the whole path, against Alertmanager
alertmanager.py     Alertmanager's side of that race
sink.py             who receives, in a process of its own
rules.py            what 100,000 rules cost, and what loading them does
hub.py              from a hub to the pager
coverage.py         what the gate takes for 5,000 workloads
way.py              the files and functions that an alert passes
growth.py           what a message costs at a million signals
virtual.py          a router whose clock is ours, and whose destinations take everything

Before a commit that adds or deletes:
quick.py            whether this checkout got slower than another commit, and than the one in guard.txt: ratios, in minutes
counted.py          the router, what it asked of SQLite, and what it held in memory

By hand:
transports.py       what a POST costs the client, by what carries it
ageing.py           a state that grows old: 120 days at a smaller scale, and how large it is
field.py            what comes in there day by day, and the rules that decide it
"""

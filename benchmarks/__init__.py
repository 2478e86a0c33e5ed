"""What `make bench` runs: the speeds that the design promises, each as a ratio in one run.

__main__.py         runs the measurements asked for and prints one table
table.py            what a row of it says
workload.py         alerts and suppression rules, the same in every run
decision.py         bytes to decision, against pydantic validating the same bytes
reference_model.py  the model that pydantic validates them into
rules.py            what 100,000 rules cost, and what loading 10,000 does
loading.py          loads one rules directory in a process of its own, and says what it took
path.py             files to HTTP, the whole path, against Alertmanager
router_run.py       the router's side of that race
alertmanager.py     Alertmanager's side of it
race.py             what one contender did
sink.py             who receives, in a process of its own
state.py            what a message costs over PostgreSQL: round trips, CPU, messages and deliveries a second
state_router.py     the router that it measures, in a process of its own
forgetting.py       how long forgetting holds a SQLite writer

Before a commit that adds or deletes:
quick.py            whether this checkout got slower than another commit: ratios, in two minutes
checkouts.py        the two, side by side
counted.py          the router, and what it asked of SQLite

By hand:
crowd.py            many workers and one vendor that takes only so much
ageing.py           a state that grows old: 120 days at a smaller scale, and how large everything is
field.py            what comes in there day by day, and the rules that decide it
virtual.py          the router that it is let loose on, with a clock of ours and destinations that take everything
sizes.py            how large a state is, by table
"""

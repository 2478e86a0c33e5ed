"""A SOC on loopback that answers like the real one: a double of each vendor that the router can deliver to.

pagerduty           PagerDuty's Events API           jsm_ops     JSM Operations' and Opsgenie's alerts
servicenow          ServiceNow's Table API, with     slack       Slack's incoming webhooks
                    tickets and encoded_query        teams       the Workflows app behind Teams
servicenow_events   its Event Management             splunk_hec  Splunk's HTTP Event Collector
jira                Jira Cloud's REST API            logs        Azure Monitor's Logs Ingestion API
webhook, findings   receivers of Standard Webhooks, and of OCSF findings behind a gateway
mail                a mail server that takes mail over STARTTLS

endpoint            what they share                  faults      the trouble that they play
running             all of them, served              control     their state and faults over HTTP
accounts            who may call                     authority   whom callers trust for TLS

`async with Soc.running() as soc:` in an event loop, `with soc_in_thread() as soc:` elsewhere, and
`python -m alert_router_demo.soc` alone. `soc.addresses` says where, `soc.accounts` who may call,
`soc.pagerduty.faults.add(Status(429, retry_after="1"), times=3)` orders trouble, `soc.state()` tells what arrived.
"""

from alert_router_demo.soc.accounts import SocAccount
from alert_router_demo.soc.faults import Drop, Fault, Hang, LoseAnswer, Status
from alert_router_demo.soc.running import Addresses, Soc, soc_in_thread

__all__ = ["Addresses", "Drop", "Fault", "Hang", "LoseAnswer", "Soc", "SocAccount", "Status", "soc_in_thread"]

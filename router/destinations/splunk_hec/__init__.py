"""Splunk: one event for each delivery, through its HTTP Event Collector."""

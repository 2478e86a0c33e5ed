"""Jira: one issue for each signal, opened, commented and resolved through its REST API."""

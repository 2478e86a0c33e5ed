"""Subscriptions: what the judges of their own rungs share.

disabled        subscriptions that are disabled, so that nothing in them runs
exports         what each automation sends to an event hub
list_commands   commands whose answer says what it lists, even where the list is empty
"""

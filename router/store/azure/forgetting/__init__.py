"""Takes away what is old of an account's state.

forgetting      what is done first, and how much of it
old_decisions   decisions by time, with their deliveries
old_signals     the signals that those lead to
walk            what nothing leads to, a page at a time
"""

from router.store.azure.forgetting.forgetting import AzureForgetting

__all__ = ["AzureForgetting"]

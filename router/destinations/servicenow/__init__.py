"""ServiceNow: tickets through its Table API, and events for Event Management."""

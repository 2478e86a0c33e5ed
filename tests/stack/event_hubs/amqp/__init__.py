"""AMQP 1.0 as far as Event Hubs speaks it: types, frames, and what the two ends say to each other."""

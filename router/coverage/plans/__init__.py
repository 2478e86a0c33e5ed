"""What answers say of Defender's plans at subscriptions and resources."""

"""Mail, by a server that passes it on."""

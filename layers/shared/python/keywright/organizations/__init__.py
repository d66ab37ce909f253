"""Organizations and members: events, deletion, purge, audit log."""

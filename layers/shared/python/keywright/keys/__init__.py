"""The life of an API key."""

"""Lambda authorizers of sessions and of API keys."""

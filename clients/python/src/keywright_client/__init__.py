"""The client of Keywright, which issues and verifies API keys."""

"""One thin client for AWS's JSON services."""

"""The operator's command line: organizations, members and keys, with the operator's own AWS credentials."""

__version__ = "0.2.0"

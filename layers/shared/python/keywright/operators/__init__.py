"""What the command line does: organizations, members and keys, for operators with access to the table."""

"""Organizations, members and keys, for operators with access to the table: the functions of the command line."""

"""Writes the parts of the documentation that are computed or recorded; never deployed."""

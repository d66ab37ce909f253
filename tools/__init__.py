"""Tools that write computed and recorded parts of the documentation. They are never deployed."""

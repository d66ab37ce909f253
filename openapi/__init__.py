"""Writes the OpenAPI description of the API from what the handlers and the template say; never deployed."""

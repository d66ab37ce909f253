"""The service on one machine, served from template.yaml. `make run` starts it; it is never deployed."""

"""The service on one machine, from template.yaml; never deployed. `make run` starts it."""

"""Benchmarks of Keywright against its budgets and against other products: `make bench`."""

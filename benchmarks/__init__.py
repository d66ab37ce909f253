"""What Keywright costs, beside other products and beside its own budgets: `make bench`."""

"""A dashboard of orders by dates: no trace, no container ids."""

"""Rows as Arrow record batches: types from what the database declares, values checked, batches within the budget."""

"""Rows as Arrow record batches: types as the database declares them, values checked, batches within the budget."""

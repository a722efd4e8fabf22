"""Sources of rows: one folder a database, and the parts that they share."""

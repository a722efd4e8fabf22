"""ADBC connections, and rows that are Arrow record batches from the start."""

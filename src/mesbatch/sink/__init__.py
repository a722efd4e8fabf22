"""Writers that make bytes of rows: NDJSON, Arrow, Parquet."""

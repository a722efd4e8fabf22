"""Writers that make bytes of rows: NDJSON, CSV, Arrow, Parquet."""

"""ODBC."""

"""Tests of ODBC."""

"""A stand-in for an Oracle server, which the real thin driver logs in to; its rows come from SQLite.

`docs/oracle.md` says what it proves and what it does not.
"""

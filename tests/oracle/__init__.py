"""A stand-in for an Oracle server: the real thin driver logs in to it, and its rows come from SQLite.

The limits of this proof stand in `docs/oracle.md`.
"""

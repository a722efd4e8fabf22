"""SQL as text: tokens, clauses, where the keys stand, and whether a statement may be read in parts."""

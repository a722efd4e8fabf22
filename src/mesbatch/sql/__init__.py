"""SQL as text: tokens, clauses, the place of the keys, and the judgement of which statement may be cut by key."""

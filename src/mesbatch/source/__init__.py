"""Where rows come from: one module for each kind of connection, and what they share."""

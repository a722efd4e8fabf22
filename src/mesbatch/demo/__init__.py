"""A made-up manufacturing warehouse, an incident with it, and a way to watch memory over time."""

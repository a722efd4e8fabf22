"""A made-up manufacturing warehouse, what once went wrong with it, and a way to watch memory over time."""

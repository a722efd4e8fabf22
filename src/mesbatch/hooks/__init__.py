"""Hooks listen to what happens to a read, and change nothing."""

"""Hooks for logs and metrics: they listen to the events of a read, and change nothing."""

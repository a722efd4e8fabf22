"""The same work written by hand, as well as each driver allows, for comparison with ours.

A loop yields lists of rows. An empty list says that every key so far is whole.
"""

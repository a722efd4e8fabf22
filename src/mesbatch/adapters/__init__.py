"""The edge: what an application plugs in where it already has a web framework."""

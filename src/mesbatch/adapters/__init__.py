"""Adapters to web frameworks: the edge of the library, which nothing else imports."""

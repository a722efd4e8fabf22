"""The common part of all web adapters, without a framework: requests, answers, live bodies, the routes of the trace."""

"""The dashboard of the demo: a trace in a browser, with its decision, its rows and its memory while it runs."""

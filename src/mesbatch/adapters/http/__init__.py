"""What all web adapters share, without a framework: requests, answers, bodies that are read now, the trace's routes."""

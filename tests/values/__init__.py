"""Every type of every database with its extremes, through every way that values leave mesbatch."""

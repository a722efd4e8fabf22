"""Where rows become bytes that leave the process."""

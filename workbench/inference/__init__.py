"""Runs model files: a worker process for each, spoken to over versioned JSON lines."""

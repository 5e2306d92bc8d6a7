"""Which packages, and which file of each: decided from the lock's values alone."""

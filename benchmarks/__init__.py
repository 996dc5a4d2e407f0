"""Measurements that are no tests: speed, and figures on data that the repository does not hold."""

"""What is measured: each row a ratio to a named rival, both in one run. `nox -s bench`."""

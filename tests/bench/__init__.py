"""What is measured: each row a ratio to a named rival, both in one run. `nox -s bench`."""

import os


os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # grpcio tells of every connection that ends

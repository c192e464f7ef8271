"""What `make bench` runs: load generator, push receiver, the peer that we compare with, and the report."""

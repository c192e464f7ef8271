"""The tests, and `tests.support`, what they share. Run them with `make unit` or `make test`."""

"""The SMPP 3.4 server for customers."""

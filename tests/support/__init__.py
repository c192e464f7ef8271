"""What the tests share: the real processes and peers that they meet, and the one way to wait for them (`waiting`)."""

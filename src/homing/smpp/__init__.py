"""SMPP 3.4: the PDUs as tables, the codec, the session and its timers, and the connection that carries them."""

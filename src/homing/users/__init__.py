"""Who may use the console: users, their passwords, second factors, sessions and one-time links, and the audit."""

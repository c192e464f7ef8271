"""The console: the operators' and customers' web pages (docs/internals/console.md)."""

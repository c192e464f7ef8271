"""The statements, as functions. Made by tools/sql_bindings.py; the source is in ../sql."""

from homing.store.statements import alarms, clock, nodes, tariff

__all__ = ["alarms", "clock", "nodes", "tariff"]

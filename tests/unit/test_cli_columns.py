"""The tables of the command line: programs find each value under a name of its own."""

import importlib
import pkgutil

import homing.cli
from homing.cli.show import Column


def test_no_two_columns_of_a_table_share_the_name_that_programs_read() -> None:
    """Names of amounts lose their `_micro`, and so may meet another's."""
    tables = {
        f"{module.name}.{name}": [column.name for column in value if not column.people_only]
        for module in pkgutil.iter_modules(homing.cli.__path__, "homing.cli.")
        if not module.name.endswith("__main__")
        for name, value in vars(importlib.import_module(module.name)).items()
        if isinstance(value, tuple) and value and all(isinstance(column, Column) for column in value)
    }
    assert len(tables) > 40, "else the test looks at nothing"
    assert {name: names for name, names in tables.items() if len(set(names)) < len(names)} == {}

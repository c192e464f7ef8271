"""The columns of a new message are those that its statement is given, in the same order."""

import re

from homing.store import queries
from homing.store.submissions import NewMessage


def test_a_new_messages_members_are_the_statements_columns_in_their_order() -> None:
    text = queries.load_all()["submit"]
    given = re.search(r"\) AS m \(([^)]*)\)", text)
    assert given
    columns = [column.strip() for column in given[1].split(",")]
    assert columns == [*NewMessage.__struct_fields__, "before_micro"]

"""The page about SMPP carriers against the code: its table is the settings', its example can be used."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from homing.carriers.kinds import read_settings
from homing.carriers.smpp.inbound import SMPP_CARRIER_FRAGMENTS_S
from homing.carriers.smpp.reports import SMPP_CARRIER_FRAGMENT_HOLD_S
from homing.carriers.smpp.settings import SmppSettings
from homing.carriers.smpp.submitting import SMPP_CARRIER_THROTTLED_ATTEMPTS_MAX
from homing.smpp.statuses import TABLE, StatusKind

PAGE = (Path(__file__).parents[2] / "docs" / "operate" / "carriers.md").read_text(encoding="utf-8")
SCHEMA = msgspec.json.schema(SmppSettings)["$defs"]["SmppSettings"]
KINDS_OF_VALUE = {"boolean": "true, false", "string": "text", "array": "list", "object": "object"}


def row(name: str, schema: dict[str, Any]) -> str:
    """A setting's line of the table: name, default, values, description."""
    values = next(kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null")
    if "enum" in values:
        span = ", ".join(f"`{value}`" for value in values["enum"])
    elif "minimum" in values:
        span = f"{values['minimum']:g} to {values['maximum']:g}" if values["maximum"] < 1e6 else "a number"
    else:
        span = KINDS_OF_VALUE[values["type"]]
    default = "required" if name in SCHEMA["required"] else f"`{json.dumps(schema['default'], ensure_ascii=False)}`"
    return f"| `{name}` | {default} | {span} | {schema['description']} |"


@pytest.mark.parametrize("name", SCHEMA["properties"])
def test_every_setting_has_its_line(name: str) -> None:
    assert row(name, SCHEMA["properties"][name]) in PAGE.splitlines()


def test_no_setting_is_told_that_does_not_exist() -> None:
    _before, _heading, table = PAGE.partition("## Settings")
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(SCHEMA["properties"])
    spans = set(re.findall(r"`([a-z]+(?:_[a-z0-9]+)+)`", PAGE))
    detail = {"round_trip_ms", "waiting_for_room", "waiting_to_be_stored", "receipts_without_id", "last_error"}
    tlvs = {"sar_msg_ref_num", "sar_total_segments", "sar_segment_seqnum", "message_payload", "pe_id", "template_id"}
    assert spans - set(SCHEMA["properties"]) - detail - tlvs == set()


def test_the_example_can_be_used() -> None:
    found = re.search(r"<<'EOF'\n(.*?)^EOF$", PAGE, re.MULTILINE | re.DOTALL)
    assert found
    assert read_settings("smpp", found[1]).targets == [("127.0.0.1", 2776)]


def test_what_is_said_of_statuses_and_bounds_is_so() -> None:
    line = next(line for line in PAGE.splitlines() if line.startswith("| has a temporary failure"))
    statuses = {int(status, 16) for status in re.findall(r"0x[0-9A-F]{2}", line)}
    assert statuses == {status for status, meaning in TABLE.items() if meaning.kind is StatusKind.TEMPORARY}
    assert SMPP_CARRIER_THROTTLED_ATTEMPTS_MAX == 4
    assert "up to four times" in PAGE
    assert SMPP_CARRIER_FRAGMENTS_S == 5 * 60
    assert SMPP_CARRIER_FRAGMENT_HOLD_S == 1

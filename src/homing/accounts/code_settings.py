"""What accounts have set for verification codes: templates, flows, test numbers and limits, as read from their rows."""

from collections.abc import Mapping, Sequence

import msgspec

from homing.model import CodeAlphabet, CodeFlow, CodeTemplate, FlowStep, SendLimit
from homing.store import statements
from homing.store.rows import Executor
from homing.store.statements.verifications import CodeFlowRow, CodeTemplateRow


class CodeSettings(msgspec.Struct, frozen=True):
    """By account id; `test_numbers`: the code by number."""

    templates: Mapping[int, Sequence[CodeTemplate]]
    flows: Mapping[int, Sequence[CodeFlow]]
    test_numbers: Mapping[int, Mapping[str, str]]


async def read_code_settings(db: Executor, account_ids: Sequence[int]) -> CodeSettings:
    templates: dict[int, list[CodeTemplate]] = {}
    for row in await statements.verifications.code_template_list(db, account_ids=account_ids):
        templates.setdefault(row.account_id, []).append(template_of(row))
    flows: dict[int, list[CodeFlow]] = {}
    for flow in await statements.verifications.code_flow_list(db, account_ids=account_ids):
        flows.setdefault(flow.account_id, []).append(flow_of(flow))
    numbers: dict[int, dict[str, str]] = {}
    for listed in await statements.verifications.test_number_list(db, account_ids=account_ids):
        numbers.setdefault(listed.account_id, {})[listed.number] = listed.code
    return CodeSettings(templates, flows, numbers)


def send_limit_of(stored: str | None) -> SendLimit | None:
    return None if stored is None else msgspec.json.decode(stored, type=SendLimit)


def template_of(row: CodeTemplateRow) -> CodeTemplate:
    return CodeTemplate(
        template_id=row.template_id,
        app_id=row.app_id,
        name=row.name,
        locale=row.locale,
        text=row.text,
        alphabet=CodeAlphabet(row.code_alphabet),
        length=row.code_length,
        sender=row.sender,
        voice=row.voice,
    )


def flow_of(row: CodeFlowRow) -> CodeFlow:
    steps = msgspec.json.decode(row.steps, type=tuple[FlowStep, ...])
    return CodeFlow(flow_id=row.flow_id, name=row.name, steps=steps)

"""What the lia dialect posts to a message's callback_url: its delivery reports (contract, section 7).

Answer a report that was stored with `ACKNOWLEDGEMENT`. One report a request, one at each change of state; each may come
more than once, or after a later one.
"""

from homing_clients.lia_calls import status_of
from homing_clients.lia_results import ReportPush
from homing_clients.pushes import parse_push
from homing_clients.reading import Members, Unreadable


def parse_report_push(body: bytes) -> ReportPush:
    """A delivery report from a request's body (JSON; a form is understood too). Raises `BadPush`."""
    return parse_push(body, _report)


def _report(push: Members) -> ReportPush:
    if "message_id" not in push or "DLRStatus" not in push:
        raise Unreadable("no message_id or no DLRStatus")
    word = push.text("DLRStatus")
    return ReportPush(
        message_id=push.whole("message_id"),
        uid=push.text("uid"),
        number=push.text("PhoneNumber"),
        status=status_of(word),
        word=word,
        carrier_id=push.text("SMSID"),
        cost=push.amount("ClientCost"),
        error_code=push.text("ErrorCode"),
        error_text=push.text("ErrorDescription"),
        remarks=push.text("Remarks"),
    )

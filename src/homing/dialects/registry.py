"""The dialects there are. Whatever starts a process hands them on; nothing else imports a dialect's package."""

from typing import Final

from homing.dialects.base import Dialects
from homing.dialects.laaffic.dialect import LaafficDialect
from homing.dialects.lia.dialect import LiaDialect
from homing.doors.smpp_dialect import SmppDialect

DIALECTS: Final = Dialects(
    (
        LiaDialect(),
        LaafficDialect(),
        SmppDialect(),
    )
)

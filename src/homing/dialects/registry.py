"""The dialects there are. Whatever starts a process hands them on; nothing else imports a dialect's package."""

from typing import Final

from homing.api.smpp.dialect import SmppDialect
from homing.dialects.base import Dialects
from homing.dialects.camara.dialect import CamaraDialect
from homing.dialects.hooks.dialect import HooksDialect
from homing.dialects.laaffic.dialect import LaafficDialect
from homing.dialects.lia.dialect import LiaDialect
from homing.dialects.v1.dialect import V1Dialect

DIALECTS: Final = Dialects(
    (
        V1Dialect(),
        LiaDialect(),
        LaafficDialect(),
        SmppDialect(),
        CamaraDialect(),
        HooksDialect(),
    )
)

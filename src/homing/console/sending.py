"""What a console sends test messages with: the way of a customer's call, one intake and one engine for codes."""

import msgspec

from homing.accounts.directory import Directory
from homing.intake.intake import Intake
from homing.verification.service import Verifications


class ConsoleSending(msgspec.Struct, frozen=True, kw_only=True):
    """`dialect`: whose number the messages have, Homing's own API's: they are shown as if it had sent them."""

    directory: Directory
    intake: Intake
    verifications: Verifications
    dialect: int

"""Homing's dialects and one more."""

from homing.dialects.base import Dialects
from homing.dialects.registry import DIALECTS
from tests.third_dialect.dialect import ThirdDialect

WITH_THIRD = Dialects((*DIALECTS, ThirdDialect()))

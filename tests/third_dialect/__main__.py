"""`python -m tests.third_dialect ROLE PROCESS`: one of Homing's processes that speaks it as well."""

import sys

from homing.app.process import main
from tests.third_dialect.registry import WITH_THIRD

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], WITH_THIRD))

"""`python -m homing.app ROLE PROCESS`."""

import sys

from homing.app.process import main

sys.exit(main(sys.argv[1:]))

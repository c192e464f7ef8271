"""The confidence level of every interval: in command line, console, learning and lab."""

from typing import Final

Z_95: Final = 1.959964
"""The normal distribution's 97.5 % quantile: an interval holds the true value in 95 of 100 such cases."""

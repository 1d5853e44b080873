"""The failures that must not happen here: the test that plays each through, and what in the contracts keeps it out.

`make guards` takes away each guard in turn, and its test must fail then. Guards are named as they stand in contracts/, see Edit.
"""

from . import disputes, payments, staking

GUARDS = [*staking.GUARDS, *disputes.GUARDS, *payments.GUARDS]

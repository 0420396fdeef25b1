"""Tables of implementations that a value of the configuration chooses from.

A fingerprint covers only those entries of such a table whose names stand in the configuration of the artifact
or of what it is made from: one more optimizer retrains nothing.
"""

from typing import TypeVar

Implementation = TypeVar("Implementation")


class Variants(dict[str, Implementation]):
    """Configuration value → what implements it.

    Write it as a module's constant, from one dict display: `NORMS = Variants({"rmsnorm": rms_norm, …})`. Its
    names must be values that a user writes (`norm: rmsnorm`), and no code may iterate over it: an entry that
    no fingerprint covers may decide nothing.
    """

"""Tables of implementations that a value of the configuration chooses from.

A fingerprint covers only those entries of such a table whose names stand in the configuration of the artifact
or of what it is made from: one more optimizer retrains nothing.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import ClassVar, TypeVar

Implementation = TypeVar("Implementation")


class Variants(dict[str, Implementation]):
    """Configuration value → what implements it.

    Write it as a module's constant, from one dict display: `NORMS = Variants({"rmsnorm": rms_norm, …})`. Its
    names must be values that a user writes (`norm: rmsnorm`), and no code may iterate over it: an entry that
    no fingerprint covers may decide nothing.
    """

    covered: ClassVar[frozenset[str] | None] = None
    """Names that the fingerprint of the running program covers; None where no artifact is made."""

    @classmethod
    @contextmanager
    def covering(cls, names: Iterable[str]) -> Iterator[None]:
        """Give nothing inside but what has one of these names, which a fingerprint covers."""
        before, Variants.covered = cls.covered, frozenset(names)
        try:
            yield
        finally:
            Variants.covered = before

    def __getitem__(self, name: str) -> Implementation:
        """Return an implementation.

        Raises:
            LookupError: the fingerprint of this program does not cover it, as no value of the configuration
                has its name: something else chose it.
        """
        implementation = super().__getitem__(name)
        if self.covered is not None and name not in self.covered:
            raise LookupError(f"{name!r} was chosen by something that is no value of the configuration")
        return implementation

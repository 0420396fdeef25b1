"""Independent random streams from one seed: `(seed, name, step)` names a stream, nothing else does."""

import hashlib


def derive(seed: int, name: str, step: int = 0) -> int:
    """Return a 63-bit seed for the stream `name` at `step`; streams are independent of each other."""
    digest = hashlib.sha256(f"{seed}/{name}/{step}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1

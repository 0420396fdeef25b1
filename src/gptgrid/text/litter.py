"""Files that lie in folders and archives without anybody having meant them as texts."""

import re
from fnmatch import translate

PATTERNS = (
    ".*",  # hidden: .DS_Store, .git, .ipynb_checkpoints, ._names of macOS, .names.swp of vim
    *("*~", "#*#", "~$*", "*.bak", "*.swp", "*.swo"),  # copies that editors and office programs make
    *("thumbs.db", "desktop.ini", "__macosx", "__pycache__"),
)
"""Of names, in small letters."""
LITTER = re.compile("|".join(map(translate, PATTERNS)))


def is_litter(path: str) -> bool:
    """Say whether a file, or a folder on the way to it, is hidden, or made by a program for itself.

    Args:
        path: inside the folder or archive.
    """
    parts = (part for part in path.lower().split("/") if part != "." and not part.startswith(".."))
    return any(LITTER.match(part) for part in parts)

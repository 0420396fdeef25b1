"""What a person can mend."""


class UserError(Exception):
    """Something that a person can mend. The message says what was found, where, and what to do."""

"""What holds for all tests."""

import signal


def pytest_configure() -> None:
    """Heed interrupts: a shell's background jobs ignore them, and so would the programs that tests interrupt."""
    signal.signal(signal.SIGINT, signal.default_int_handler)

"""A language model made before one's eyes: `demo`."""

from __future__ import annotations

from gptgrid.cli.walk import Language


def demo(language: Language = "en") -> None:
    """Watch a tiny language model learn.

    Its vocabulary, attention, training, and what it writes then. Takes
    seconds. Needs no experiment and no network, and leaves nothing behind.

    Examples:

      gptgrid demo
      gptgrid demo --language zh
    """
    from gptgrid.inference.demo.tell import Demo
    from gptgrid.inference.walk.show import make_console

    Demo(make_console(), language).tell()

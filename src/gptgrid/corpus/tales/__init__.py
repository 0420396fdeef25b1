"""Stories for children as a measuring instrument.

Characters, places, things, possession and moods persist over a tale, and a question about it with one right
answer closes it. The text shows every decision that made it, so its exact probability is known: `Tale.bits`
is what the best possible model needs for it.
"""

from gptgrid.corpus.tales.generate import Tale, generate, parse, tale, tales

__all__ = ["Tale", "generate", "parse", "tale", "tales"]

"""Read a text, cut it into documents, and these into train, valid and test."""

from gptgrid.corpus.prepare import prepare
from gptgrid.stage import main

if __name__ == "__main__":
    main("corpus", prepare, __doc__)

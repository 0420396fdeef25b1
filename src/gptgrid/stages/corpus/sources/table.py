"""The kinds of sources."""

from gptgrid.artifact.variants import Variants
from gptgrid.stages.corpus.sources.builtin import open_builtin
from gptgrid.stages.corpus.sources.files import open_files
from gptgrid.stages.corpus.sources.hub import open_hub
from gptgrid.stages.corpus.sources.random import open_random
from gptgrid.stages.corpus.sources.shards import open_shards
from gptgrid.stages.corpus.sources.url import open_url

SOURCES = Variants(
    {
        "builtin": open_builtin,
        "url": open_url,
        "hub": open_hub,
        "files": open_files,
        "random": open_random,
        "shards": open_shards,
    }
)
"""The key `source` of the configuration → function that opens it: Job → Source.

The functions raise a UserError, at once or while the documents are read, where a file is missing, has
changed, is empty, or is not a text in its encoding.
"""

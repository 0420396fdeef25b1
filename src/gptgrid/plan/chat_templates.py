"""The chat templates that fine-tunings name: read and held against tokenizers before anything runs."""

from __future__ import annotations

import re
from pathlib import Path

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.files import Remembered
from gptgrid.config.cell import Cell, Finetuned
from gptgrid.config.errors import ConfigError
from gptgrid.config.tokenizers import OwnTokenizer, TiktokenTokenizer
from gptgrid.plan.own_files import OwnFiles
from gptgrid.text.chat_template import TEMPLATES, ChatTemplate
from gptgrid.tokens.special import END_OF_TEXT

WORD = re.compile(r"[\w-]+(\.\d+)?")
"""What is no file name but the name of a template, as others have them: mistral, llama-3.1."""


class ChatTemplates:
    """The chat templates of an experiment."""

    def __init__(self, origin: str, digests: Remembered) -> None:
        """Prepare to read; each is read once.

        Args:
            origin: the configuration, for error messages.
            digests: what is known of the sha256 of files.
        """
        self.origin, self.digests = origin, digests
        self.read: dict[str, tuple[ChatTemplate, dict[str, str]]] = {}

    def of(self, made: Finetuned) -> tuple[ChatTemplate, dict[str, str]]:
        """Return the template of a fine-tuning, and its file → sha256, if it is one of the user's own.

        Raises:
            ConfigError: there is no such file, or it cannot be used.
        """
        name = made.finetuning.value.template
        if name in TEMPLATES:
            return TEMPLATES[name], {}
        if name not in self.read:
            where = f"{self.origin}: finetuning.{made.finetuning.name}.template"
            if WORD.fullmatch(name) and not Path(name).exists():
                raise ConfigError(
                    f"{where}: unknown template {name!r}; {', '.join(TEMPLATES)} are built in, and for any "
                    f"other give the path of a file with its Jinja text, such as templates/{name}.jinja"
                )
            raw = OwnFiles([name], where).digests(self.digests)
            if len(raw) > 1:
                raise ConfigError(f"{where}: {name!r} names {len(raw)} files; name the one template")
            (path,) = raw
            try:
                template = ChatTemplate(Path(path).read_text(encoding="utf-8"), path)
                template.check()
            except UnicodeDecodeError as error:
                raise ConfigError(f"{where}: {path} is not UTF-8 ({error}); save it as UTF-8") from None
            except UserError as error:
                raise ConfigError(f"{where}: {error}") from None
            self.read[name] = template, raw
        return self.read[name]

    def check_tokens(self, cell: Cell, made: Finetuned) -> None:
        """Refuse a tokenizer that lacks special tokens of a template, as far as the configuration says it.

        Raises:
            ConfigError: it lacks some, and the recipe adds none.
        """
        tokenizer, recipe = cell.tokenizer.value, made.finetuning.value
        if isinstance(tokenizer, OwnTokenizer):
            known = [END_OF_TEXT, *tokenizer.special_tokens]
        elif isinstance(tokenizer, TiktokenTokenizer):
            known = [END_OF_TEXT]
        else:
            return
        template, _ = self.of(made)
        lacking = [name for name in template.special_tokens() if name not in known]
        if lacking and recipe.new_tokens == "refuse":
            own = isinstance(tokenizer, OwnTokenizer)
            names = ", ".join(f'"{name}"' for name in lacking)
            remedy = f"add them to its `special_tokens` ([{names}]), or " if own else ""
            raise ConfigError(
                f"{self.origin}: cell {made.name}: tokenizer {cell.tokenizer.name} lacks special tokens of "
                f"template {template.name}: {' '.join(lacking)}; {remedy}set `new_tokens: add` in "
                f"finetuning.{made.finetuning.name}"
            )

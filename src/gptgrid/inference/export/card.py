"""The model card: what a cell was made from, how good it is and by which convention, how to make it again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from gptgrid.artifact.identity import ABOUT
from gptgrid.inference.export.again import again_sections, dump
from gptgrid.inference.export.figures import figure_sections
from gptgrid.inference.export.loaded import Loaded
from gptgrid.inference.export.origins import data_of, files_of_others, has_lost_template, text_of
from gptgrid.stages.corpus.preparing.cards import bullets, code, folded_files, source_lines
from gptgrid.text.chat_template import USER, tail
from gptgrid.tokens.conversation import ORDINARY, UNUSUAL, Conversations

HUB_LICENSES = (
    "apache-2.0",
    "mit",
    "cc0-1.0",
    "cc-by-4.0",
    "cc-by-sa-3.0",
    "cdla-sharing-1.0",
)
"""Names of licences that the Hugging Face hub knows, of those that texts here have."""
VERBS = {"corpus": "is", "dialogues": "are"}
"""What a model learns from → the verb that goes with it."""


def license_of(loaded: Loaded) -> str:
    """Return the licence of all texts by its name on the hub, `other` for several, `unknown` for none.

    It is unknown, too, where weights of others were the first.
    """
    names = {about_of(manifest).get("license") for manifest in data_of(loaded).values() if manifest}
    if names <= {None} or loaded.of_others:
        return "unknown"
    name = min(map(str, names)).lower().replace(" ", "-")
    return name if len(names) == 1 and name in HUB_LICENSES else "other"


def model_card(loaded: Loaded, architecture: str, dtype: str) -> str:
    """Return the card of a folder for transformers as markdown."""
    front = {"library_name": "transformers", "pipeline_tag": "text-generation", "license": license_of(loaded)}
    sections = [
        f"---\n{dump({**front, 'tags': ['gptgrid']})}---",
        f"# {loaded.name}",
        f"{what_it_is(loaded)}: {architecture} with {parameters(loaded):,} "
        f"parameters in {dtype}, {loaded.codec.vocab_size:,} tokens, a context of "
        f"{loaded.config.context:,} tokens.",
        "## Use",
        *usage(loaded),
        "## Data",
        *data_sections(loaded),
        "## Figures",
        *figure_sections(loaded),
        "## How to make it again",
        *again_sections(loaded),
    ]
    return "\n\n".join(sections) + "\n"


def what_it_is(loaded: Loaded) -> str:
    """Return who trained it."""
    if not loaded.of_others:
        return "A small language model, trained with gptgrid"
    done = [] if loaded.imported else ["trained further"]
    done += ["fine-tuned"] if loaded.fine_tuned else []
    of_others = "A language model that others trained"
    return (
        f"{of_others}, {' and '.join(done)} with gptgrid"
        if done
        else f"{of_others}, put into this form by gptgrid"
    )


def parameters(loaded: Loaded) -> int:
    """Return the number of weights; a matrix that is both embedding and output counts once."""
    return sum(tensor.numel() for tensor in loaded.weights.values())


def usage(loaded: Loaded) -> Iterator[str]:
    """Yield how to generate, and what differs from gptgrid."""
    chat = loaded.conversations
    prompt = (
        'ids = torch.tensor([[tokenizer.bos_token_id, *tokenizer("Once upon a time").input_ids]])'
        if chat is None
        else 'messages = [{"role": "user", "content": "Hello"}]\n'
        "ids = tokenizer.apply_chat_template(\n"
        '    messages, add_generation_prompt=True, return_tensors="pt", return_dict=False\n'
        ")"
    )
    yield (
        "```python\n"
        "import torch\n"
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        f'tokenizer = AutoTokenizer.from_pretrained("FOLDER")\n'
        f'model = AutoModelForCausalLM.from_pretrained("FOLDER")\n'
        f"{prompt}\n"
        f"found = model.generate(ids, max_new_tokens={min(100, loaded.config.context // 2)})\n"
        "print(tokenizer.decode(found[0]))\n"
        "```"
    )
    yield bullets(notes(loaded))


def notes(loaded: Loaded) -> Iterator[str]:
    """Yield what to know for the same tokens and logits as in gptgrid."""
    chat = loaded.conversations
    # How others trained it is not known here.
    reads = "gptgrid" if loaded.imported else "training"
    chats = "training" if loaded.fine_tuned else "gptgrid"
    end = code(next(name for name, index in loaded.codec.special_tokens.items() if index == loaded.codec.eot))
    who = "gptgrid begins documents with" if loaded.imported else "Documents of the training began with"
    yield f"{who} {end}, so prompts begin with it; the tokenizer adds nothing."
    if chat is not None:
        yield (
            "The chat template puts it in front of a conversation. Names of special tokens in a message are "
            f"read as these, which is not so in {chats}: for messages of others, give "
            "`apply_chat_template(…, sanitize_control_tokens=True)`."
        )
        yield from notes_on_ids(chat, chats)
        for text in chat.stop:
            yield f"An answer ends with {code(json.dumps(text))}: give it to `generate` as `stop_strings`."
    elif loaded.recipe.get("marks") == "special":
        yield f"Names of special tokens in a text are read as these. In {reads}, that is not so for {end}."
    else:
        yield (
            f"Names of special tokens in a text are text, as in {reads} (`split_special_tokens`); give "
            "`split_special_tokens=False` to read them as tokens."
        )
    if has_lost_template(loaded):
        yield "The folder of the weights has a chat template, which gptgrid cannot use and which is not here."
    if loaded.config.document_mask:
        yield (
            f"In training, no token saw others before the last {end} (`document_mask`). Here it does: give "
            "the model one document at a time."
        )
    if loaded.vocab_size > loaded.codec.vocab_size:
        spare = loaded.vocab_size - loaded.codec.vocab_size
        yield f"The embedding has {spare:,} more rows than the tokenizer has tokens."


def notes_on_ids(chat: Conversations, where: str) -> Iterator[str]:
    """Yield which answers of a conversation have other ids than where their beginnings were encoded alone."""
    if chat.joins(ORDINARY):
        before = tail(chat.template.outline((USER,), answer=True))
        yield (
            f"In {where}, each answer begins a text of its own. Here, the tokenizer reads earlier answers "
            f"together with what the chat template writes before them ({code(json.dumps(before))}), which "
            f"gives their beginnings other ids. For those of {where}, encode what stands before an answer, "
            "the answer, and what follows it each alone, and join them. The first question of a conversation "
            "has the same ids."
        )
    elif chat.joins(UNUSUAL):
        yield (
            f"In {where}, each answer begins a text of its own. Here, an earlier answer that begins with a "
            "blank or a line feed may be joined with the text before it, and then has other ids."
        )


def data_sections(loaded: Loaded) -> Iterator[str]:
    """Yield what it began with, where the texts are from, and their licences."""
    data, text = data_of(loaded), text_of(loaded)
    if loaded.of_others:
        yield from lines_of_others(files_of_others(loaded))
    for name, manifest in data.items():
        if manifest:
            yield from lines_of_data(f"The {name}", VERBS[name], about_of(manifest))
    if loaded.imported and text:
        what = "The text of the figures, from which it did not learn here"
        yield from lines_of_data(what, "is", about_of(text))
    if lost := [name for name, manifest in data.items() if manifest is None]:
        yield (
            f"Not found from here: the {' and the '.join(lost)}. The manifest of a cell names its data by "
            "digests alone, and a copied folder does not say where they lie. Find out their licences before "
            "you hand on the model."
        )


def lines_of_others(files: dict[str, str] | None) -> Iterator[str]:
    """Yield what is known of the weights that others trained.

    Args:
        files: name → sha256.
    """
    yield (
        "It began with weights that others trained. What they learned from, and their licence, are not known "
        "here: find out before you hand on the model."
    )
    if files:
        yield "Their files:"
        yield bullets(f"{code(name)}: sha256 `{digest}`" for name, digest in files.items())


def lines_of_data(what: str, verb: str, about: dict[str, Any]) -> Iterator[str]:
    """Yield where a text is from, and its licence.

    Args:
        what: it is.
        verb: `is` or `are`.
        about: what its artifact says of itself.
    """
    license = about.get("license") or "not stated; find out before you hand on what was made from it"
    private = about.get("private")
    source = {} if private else about.get("source", {})
    yield f"{what}, which {verb} private:" if private else f"{what}:"
    yield bullets([f"licence: {license}", *(source_lines(source) if source else ())])
    yield from folded_files(source)


def about_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return what an artifact says of itself: license, private, source."""
    return manifest["facts"].get(ABOUT) or {}

"""Fine-tuned cells for tests, without the fine-tuning."""

import json
from itertools import pairwise
from pathlib import Path

import torch
from cells import uniform, write_cell
from torch import nn

from gptgrid.artifact.identity import canonical
from gptgrid.inference.cell import TrainedCell
from gptgrid.text.chat_template import CHATML, ChatTemplate
from gptgrid.tokens.codec import BytesCodec

MARKED = BytesCodec(["<|im_start|>", "<|im_end|>"])


def tuned(
    says: str = "AB<|im_end|>",
    template: ChatTemplate = CHATML,
    system: str | None = None,
    context: int = 256,
) -> TrainedCell:
    """Return a cell of bytes that always gives the same answer.

    Args:
        says: its answer, with marks; what stands last is said again and again.
        template: ends where an answer begins with a line end.
        system: text of the cell.
        context: of the model.
    """
    ids = MARKED.encode_marked(f"\n{says}")
    module = chain([*ids, ids[-1]], context)
    chat = {"template": template.source, "system": system}
    return TrainedCell(
        module, MARKED, {"model": vars(module.config), "vocab_size": module.vocab_size, "chat": chat}
    )


def write_tuned(folder: Path, cell: TrainedCell) -> Path:
    """Write what a `finetune` folder holds of a cell."""
    write_cell(folder, cell.module, MARKED)
    recipe = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(canonical({**recipe, "chat": cell.config["chat"]}) + "\n")
    return folder


def chain(ids: list[int], context: int) -> nn.Module:
    """Return a model that puts each id of some behind the one before it."""
    module = uniform(MARKED.vocab_size, context=context)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if "norm" in name and name.endswith("weight"):
                parameter.fill_(1.0)
        for place, (index, following) in enumerate(pairwise(ids)):
            module.embedding.tokens.weight[index, place] = 1.0
            module.head.weight[following, place] = 50.0
    return module

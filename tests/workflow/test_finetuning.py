"""A cell that is fine-tuned: made once, made anew by what touches it, the same bits after a kill."""

import csv
import json
import os
import shutil
import signal
import time
from pathlib import Path

from checkout import CONFIG, Checkout

CELL = "results/small/cells/mine.bytes.gpt2.base.s1"
DIALOGUES = Path("texts/dialogues.jsonl")
TAUGHT = {
    **CONFIG,
    "tokenizers": {"bytes": {"kind": "bytes", "special_tokens": ["<|im_start|>", "<|im_end|>"]}},
    "models": {"gpt2": {**CONFIG["models"]["gpt2"], "context": 64}},
    "corpora": {"mine": {"source": "files", "paths": ["texts/*.txt"], "document": "line"}},
    "dialogues": {"cakes": {"source": "files", "paths": [str(DIALOGUES)]}},
    "finetuning": {"chat": {"data": "cakes", "steps": 6, "batch_tokens": 128, "too_long": "refuse"}},
    "evaluation": {"answers": {"documents": 3, "max_new_tokens": 3}},
    "grid": [{"finetuning": "chat"}],
    "run": {"device": "cpu", "checkpoint_every": 0.1},
}
LATER = {"evaluate": 2, "compare": 1, "report": 1}
"""What is made of a fine-tuned cell."""


def taught(checkout: Checkout, steps: int = 6, dialogues: int = 40, **changes: object) -> None:
    """Configure a fine-tuning with other values."""
    asked = ({"question": f"{n} {n}?", "answer": f"{n % 7}"} for n in range(dialogues))
    (checkout.folder / DIALOGUES).write_text("".join(json.dumps(each) + "\n" for each in asked))
    recipe = {**TAUGHT["finetuning"]["chat"], "steps": steps, **changes}
    checkout.configure({**TAUGHT, "finetuning": {"chat": recipe}})


def test_a_cell_is_fine_tuned_once_and_by_what_touches_it(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "gptgrid")
    taught(checkout)
    assert checkout.run()["finetune"] == 1
    with (checkout.folder / "results/small/compare/finetuning.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["cell"], row["base"]) == (Path(f"{CELL}.chat").name, Path(CELL).name)
    assert "fine-tuned by chat:  gptgrid chat" in checkout.said
    assert checkout.run() == {}
    shutil.rmtree(checkout.folder / f"{CELL}.chat")
    weights = f"{CELL}.chat/finetune/model.safetensors"
    assert checkout.run(weights) == {} and (checkout.folder / weights).is_file()
    taught(checkout, lr=1e-3)
    assert checkout.stale() == {"finetune": 1, **LATER}
    taught(checkout, dialogues=41)
    assert checkout.stale() == {"corpus": 1, "finetune": 1, **LATER, "evaluate": 3}


def test_a_killed_fine_tuning_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "gptgrid")
    taught(checkout, steps=400, lora={"rank": 2, "dropout": 0.1})
    weights = f"{CELL}.chat/finetune/model.safetensors"
    process = checkout.start("--cores", "1", weights)
    state, deadline = "results/.store/finetune/*.partial/scratch/state.pt", time.monotonic() + 120
    while not list(checkout.folder.glob(state)) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    code, said = checkout.gptgrid("plan")
    assert code == 0 and "(goes on from its checkpoint)" in said
    checkout.run("--cores", "1", weights)
    assert "continues at step" in checkout.said
    code, said = checkout.gptgrid("verify", f"{CELL}.chat/finetune")
    assert code == 0 and "the same bits" in said, said

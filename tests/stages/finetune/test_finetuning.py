"""A fine-tuning learns the answers and nothing else, and hands over a model that anybody can read."""

import csv
import json

import pytest
import torch
from cells import uniform
from finetunings import MARKS, NAMES, dialogue, write_dialogues
from safetensors import safe_open
from safetensors.torch import load_file
from small_codecs import llama
from torch.nn import functional

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.files import file_digest
from gptgrid.artifact.identity import namespace
from gptgrid.model.continuation import complete
from gptgrid.model.cost import flops_per_token
from gptgrid.model.decoding import Decoding
from gptgrid.model.learned_rows import PLACE
from gptgrid.model.load import load_model, read_recipe
from gptgrid.stages.finetune.finetuning import Finetuning
from gptgrid.text.chat_template import CHATML, ChatTemplate, Message
from gptgrid.text.dialogues import read_dialogues
from gptgrid.tokens.codec import BpeCodec, read_codec
from gptgrid.tokens.conversation import Conversations
from gptgrid.trainer import checkpoint, memory
from gptgrid.trainer.deliverables import deliver
from gptgrid.trainer.schedule import learning_rate
from gptgrid.trainer.trainer import Trainer

LORA = {"rank": 4, "alpha": 8, "dropout": 0.1}


def column(folder, name):
    with (folder / "metrics.csv").open(newline="") as file:
        return [float(row[name]) for row in csv.DictReader(file) if row[name]]


def facts_of(folder):
    return json.loads((folder.parent / "facts.json").read_text())


def answer_loss(module, ids, answers):
    """Return the summed nats of the answers of one conversation, and how many tokens these are."""
    ids, answers = torch.from_numpy(ids.astype("int64")), torch.from_numpy(answers)
    logits = module(ids[None, :-1])[0]
    nats = functional.cross_entropy(logits, ids[1:], reduction="none")
    return nats[answers[1:]].sum(), int(answers[1:].sum())


def slow_loop(job):
    """Train plainly: one conversation at a time, without rows and masks; yield the losses."""
    task, settings = Finetuning(job), job.config.finetuning
    by_ids = {tuple(one.ids[:-1].tolist()): one for one in task.splits["train"].used}
    module = task.first_model()
    matrices = [p for p in module.parameters() if p.ndim >= 2]
    vectors = [p for p in module.parameters() if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": settings.weight_decay}]
    groups += [{"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, betas=tuple(settings.betas), foreach=False, fused=False)
    for step in range(task.recipe.steps):
        found = []
        for inputs, _, documents in zip(*task.recipe.batches[step], strict=True):
            for document in range(documents.max()):
                one = by_ids[tuple(inputs[documents == document].tolist())]
                found.append(answer_loss(module, one.ids, one.answers))
        loss = sum(nats for nats, _ in found) / sum(count for _, count in found)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), settings.grad_clip)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(task.recipe.training, step, task.recipe.steps)
        optimizer.step()
        yield loss.item()


@pytest.mark.parametrize("preset", ["gpt2", "llama"])
@pytest.mark.parametrize("micro_batch", ["auto", 3])
def test_equals_a_slow_loop(preset, micro_batch, finetune, make_job, make_base):
    options = {"settings": {"micro_batch": micro_batch}, "base": make_base(preset=preset)}
    expected = list(slow_loop(make_job(**options)))
    assert column(finetune(**options), "train_loss") == pytest.approx(expected, abs=1e-5)


def answers_of(folder, questions):
    """Return what a fine-tuned model answers, and how each answer ends."""
    codec, module = read_codec(folder), load_model(folder)
    chat = Conversations(codec, ChatTemplate(read_recipe(folder)["chat"]["template"], "chat"))
    prompts = [chat.prompt([question]) for question in questions]
    seeds = range(len(prompts))
    found = complete(module, codec, prompts, Decoding(temperature=0), 20, seeds, ends=chat.ends)
    return [(one.text, one.finish) for one in found]


def test_learns_to_answer_and_with_adapters_to_answer_otherwise(finetune, tmp_path):
    taught = [dialogue(number) for number in range(len(NAMES))]
    questions, answers = zip(*taught, strict=True)
    data = write_dialogues(tmp_path / "few", train=taught * 4, valid=taught)
    first = finetune("first", settings={"steps": 120, "lr": 1e-2}, data=data)
    assert answers_of(first, questions) == [(answer.content, "end") for answer in answers]
    last = json.loads((first / "samples.jsonl").read_text().splitlines()[-1])
    assert last == {"step": 120, "prompt": "Who has 0?", "text": "Ann has."}

    (first / "manifest.json").write_text(json.dumps({"facts": facts_of(first)}))
    others = [
        [question, answer] for question, answer in zip(questions, answers[1:] + answers[:1], strict=True)
    ]
    data = write_dialogues(tmp_path / "others", train=others * 4, valid=others)
    lora = {"steps": 120, "lr": 1e-2, "lora": {"rank": 8}}
    second = finetune("second", settings=lora, data=data, base=first)
    assert answers_of(second, questions) == [(answer.content, "end") for _, answer in others]


def test_the_validation_loss_is_that_of_the_answers(make_job, dialogues):
    trainer = Trainer(Finetuning(make_job(settings={"micro_batch": 1})))
    module, chat = trainer.learner.module, trainer.task.conversations
    valid = read_dialogues(dialogues, "valid")
    with torch.no_grad():
        found = [answer_loss(module, one.ids, one.answers) for one in map(chat.encode, valid)]
    nats, tokens = sum(nats.item() for nats, _ in found), sum(count for _, count in found)
    assert trainer.observer.validate() == pytest.approx(nats / tokens, rel=1e-6)
    assert trainer.validation.targets == tokens
    # Each answer and its end mark, which has no bytes.
    assert trainer.validation.bytes == tokens - len(valid) == sum(len(m[1].content) for m in valid)


def test_files_and_facts(finetune, make_base):
    folder = finetune()
    assert {path.name for path in folder.iterdir()} == {
        *("model.safetensors", "last.safetensors", "config.json", "codec.json"),
        *("metrics.csv", "samples.jsonl", "state.pt"),
    }
    base, found = read_recipe(make_base()), read_recipe(folder)
    assert {key: found[key] for key in base} == base
    assert found.keys() - base.keys() == {"finetuning", "chat"}
    assert found["chat"] == {"template": CHATML.source, "system": None}
    assert found["finetuning"]["batch_tokens"] == 512
    assert (folder / "codec.json").read_bytes() == (make_base() / "codec.json").read_bytes()
    facts = facts_of(folder)
    assert facts["dialogues"] == {
        "train": {"used": 40, "dropped": 0, "cut": 0},
        "valid": {"used": 10, "dropped": 0, "cut": 0},
    }
    assert facts["status"] == "finished" and facts["new_tokens"] == 0
    assert facts["trained_parameters"] == facts["parameters"]
    steps_per_epoch = 12 / column(folder, "epoch")[-1]
    assert facts["train_tokens"] == pytest.approx(facts["answer_tokens"] * 12 / steps_per_epoch, rel=0.05)
    assert 0 < facts["padding"] < 0.2


@pytest.mark.parametrize("lora", [None, LORA])
def test_flops_are_those_of_all_tokens_read_and_not_of_the_answers_alone(lora, finetune, dialogues):
    folder = finetune(settings={"lora": lora})
    recipe, facts = read_recipe(folder), facts_of(folder)
    chat = Conversations(read_codec(folder), CHATML)
    # The last token of each dialogue is a target alone.
    read = sum(len(chat.encode(messages).ids) - 1 for messages in read_dialogues(dialogues, "train"))
    assert facts["answer_tokens"] < read / 2
    each = flops_per_token(namespace(recipe["model"]), recipe["vocab_size"])
    assert facts["train_flops"] == pytest.approx(column(folder, "epoch")[-1] * read * each, rel=1e-3)


def test_what_is_dropped_is_said(make_job, make_base, capsys):
    Finetuning(make_job(base=make_base(context=64)))
    assert "train: 20 dialogues, 20 dropped as longer than the context; valid: 10" in capsys.readouterr().out


# --------------------------------------------------------------------------------------------- LoRA


def test_adapters_learn_alone_and_are_merged(finetune, make_base):
    folder = finetune(settings={"lora": LORA})
    base, model = load_file(make_base() / "model.safetensors"), load_file(folder / "model.safetensors")
    changed = {name for name in base if not torch.equal(base[name], model[name])}
    inside = ("attention.qkv", "attention.output", "feed_forward.up", "feed_forward.down")
    changed.remove("embedding.tokens.weight")  # of which the marks learn
    assert changed == {f"blocks.{block}.{name}.weight" for block in (0, 1) for name in inside}
    with safe_open(folder / "adapter.safetensors", "pt") as file:
        about = json.loads(file.metadata()["lora"])
        assert about == {**LORA, "targets": ["attention", "feed_forward"], "tokens": [257, 258]}
        adapter = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for name in changed:
        a, b = (adapter[name.replace("weight", f"lora_{kind}")] for kind in "AB")
        assert torch.allclose(model[name], base[name] + 2 * b @ a, atol=1e-7)
    rows, first = (weights["embedding.tokens.weight"] for weights in (model, base))
    assert torch.equal(rows[:257], first[:257]) and torch.equal(rows[257:], adapter["embedding.tokens.rows"])
    assert not torch.equal(rows[257:], first[257:])
    state = checkpoint.read(folder / "state.pt")
    assert state["model"].keys() == state["best"]["weights"].keys()
    assert len(state["model"]) == len(adapter) == 2 * len(changed) + 1
    facts, count = facts_of(folder), sum(weight.numel() for weight in base.values())
    assert facts["parameters"] == count
    assert facts["trained_parameters"] == sum(weight.numel() for weight in adapter.values()) < count / 2


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("precision", ["fp32", "bf16_weights"])
def test_merged_weights_compute_what_the_adapted_model_did(precision, tied, make_job, make_base):
    base = make_base(tie_embeddings=tied)
    trainer = Trainer(Finetuning(make_job(settings={"lora": LORA, "precision": precision}, base=base)))
    trainer.run()
    deliver(trainer)
    ids = torch.arange(219, 259)[None]
    with trainer.learner.evaluating(), torch.no_grad():
        expected = trainer.learner.module(ids)
    found = load_model(trainer.job.folder, use="last")(ids)
    assert torch.allclose(found, expected, atol=1e-5 if precision == "fp32" else 0.05)


def test_without_a_step_nothing_changes(make_job, make_base):
    task = Finetuning(make_job(settings={"lora": LORA}))
    module, ids = task.first_model().eval(), torch.arange(40)[None]
    assert torch.equal(module(ids), load_model(make_base())(ids))


def test_what_does_not_learn_needs_memory_for_its_weights_alone(make_job, monkeypatch):
    needed, all_of_it = [], "weights, gradients and moments"
    monkeypatch.setattr(memory, "check_memory", lambda bytes_of, *_: needed.append(bytes_of[all_of_it]))
    Trainer(Finetuning(make_job()))
    task = Finetuning(make_job("thin", settings={"lora": LORA}))
    Trainer(task)
    learn = {True: 0, False: 0}
    for parameter in task.first_model().parameters():
        learn[parameter.requires_grad] += parameter.numel()
    assert learn[True] == task.trained < learn[False] / 5
    assert needed == [16 * learn[False], 4 * learn[False] + 16 * learn[True]]


def test_an_encoder_has_no_adapters(make_job, make_base):
    with pytest.raises(UserError, match="lora"):
        Finetuning(make_job(settings={"lora": LORA}, base=make_base(preset="encoder"))).first_model()


# ------------------------------------------------------------------------------------- tokens, templates


def test_a_tokenizer_without_the_marks_is_refused(make_job, make_base):
    with pytest.raises(UserError, match=r"no special tokens <\|im_start\|>, .*new_tokens: add"):
        Finetuning(make_job(base=make_base(marks=())))


@pytest.mark.parametrize("lora", [None, LORA])
def test_new_tokens_are_added_and_learn(lora, finetune, make_base):
    base = make_base(marks=())
    folder = finetune(base=base, settings={"new_tokens": "add", "lora": lora})
    assert read_codec(folder).special_tokens.keys() - read_codec(base).special_tokens.keys() == {*MARKS}
    assert (read_recipe(base)["vocab_size"], read_recipe(folder)["vocab_size"]) == (257, 259)
    assert facts_of(folder)["new_tokens"] == 2
    rows = load_model(folder).embedding.tokens.weight
    first = load_model(base).embedding.tokens.weight
    assert rows.shape == (259, 32)
    # Their first rows are the mean of the others, which is nearly zero.
    assert (rows[257:] - first.mean(dim=0)).abs().max() > 3e-3


@pytest.mark.parametrize("padding", [1, 3])
def test_rows_that_pad_the_vocabulary_become_those_of_new_tokens(padding, finetune, make_job, make_base):
    base = make_base(marks=(), padding=padding)
    settings = {"new_tokens": "add", "lora": {"rank": 4}}
    task = Finetuning(make_job("first", base=base, settings=settings))
    weights, first = task.first_model().state_dict(), load_file(base / "model.safetensors")
    name = "embedding.tokens.weight"
    rows, mean = weights[name.replace(".weight", "." + PLACE + "rows")], first[name][:257].mean(dim=0)
    assert rows.shape == (2, 32) and (rows - mean).abs().max() < 1e-3
    folder = finetune(base=base, settings=settings)
    assert read_recipe(folder)["vocab_size"] == 257 + max(2, padding)
    assert facts_of(folder)["new_tokens"] == 2
    after = load_file(folder / "model.safetensors")[name]
    assert torch.equal(after[:257], first[name][:257]) and torch.equal(after[259:], first[name][259:])


def own_template(path, source):
    """Write a template; return the options of a job that takes it."""
    path.write_text(source)
    return {"settings": {"template": str(path)}, "raw": {str(path): file_digest(path)}}


def test_adapters_learn_marks_whatever_their_names(finetune, make_base, tmp_path):
    source = CHATML.source.replace("<|im_start|>", "<turn>").replace("<|im_end|>", "<end>")
    options = own_template(tmp_path / "mine.jinja", source)
    options["settings"]["lora"] = {"rank": 4}
    base = make_base(marks=("<turn>", "<other>", "<end>"), tie_embeddings=False)
    folder = finetune(base=base, **options)
    first, after = (load_file(each / "model.safetensors") for each in (base, folder))
    for name in ("embedding.tokens.weight", "head.weight"):
        assert (first[name] != after[name]).any(dim=1).nonzero().flatten().tolist() == [257, 259]


def test_a_blank_before_answers_is_warned_of(make_job, make_base, tmp_path, capsys):
    source = CHATML.source.replace('message.role ~ "\\n"', 'message.role ~ ": "')
    options = own_template(tmp_path / "mine.jinja", source.replace("assistant\\n", "assistant: "))
    bytes_of = [bytes([value]) for value in range(256)]
    codec = BpeCodec("bpe", r" ?[a-zA-Z.]+|\s+|[^\s]", [*bytes_of, b" y"], MARKS)
    base = make_base(codec=codec, context=256)
    Finetuning(make_job("blank", base=base, **options))
    assert "ends with '<|im_end|>\\n<|im_start|>assistant: ' where the model" in capsys.readouterr().out
    Finetuning(make_job("chatml", base=base))
    assert "warning" not in capsys.readouterr().out


def test_a_template_of_ones_own(finetune, make_job, make_base, tmp_path):
    path = tmp_path / "mine.jinja"
    path.write_text(
        "{% for m in messages %}{% if m.role == 'assistant' %}A: {% generation %}{{ m.content }}\n"
        "{% endgeneration %}{% else %}Q: {{ m.content }}\n{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}A: {% endif %}"
    )
    options = {"settings": {"template": str(path)}, "raw": {str(path): file_digest(path)}}
    folder = finetune(base=make_base(marks=()), **options)
    assert read_recipe(folder)["chat"]["template"] == path.read_text()
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match=r"mine\.jinja changed after the plan was made"):
        Finetuning(make_job("changed", **options))
    options["raw"] = {str(path): file_digest(path)}
    with pytest.raises(UserError, match=r"mine\.jinja is no chat template: it is not UTF-8 text"):
        Finetuning(make_job("binary", **options))


# -------------------------------------------------------------------------------------- bases, limits


def test_a_base_that_diverged_is_refused(make_job, make_base):
    with pytest.raises(UserError, match=r"the training of the base model .* diverged, so there is nothing"):
        Finetuning(make_job(base=make_base(status="diverged")))


def test_what_is_fine_tuned_can_be_fine_tuned_again(finetune):
    first = finetune("first")
    (first / "manifest.json").write_text(json.dumps({"facts": facts_of(first)}))
    again = finetune("again", base=first)
    assert column(again, "val_loss")[0] < column(first, "val_loss")[0]


def test_a_budget_in_epochs_and_patience(finetune):
    folder = finetune(settings={"steps": None, "epochs": 1.5, "batch_tokens": 256})
    assert column(folder, "epoch")[-1] == pytest.approx(1.5, abs=0.1)
    wild = {"steps": 200, "lr": 0.3, "patience": 2, "schedule": "constant"}
    assert facts_of(finetune("wild", settings=wild))["status"] == "stopped early"


def test_a_sample_has_no_blank_that_the_tokenizer_puts_before_answers(make_job, make_base):
    base = make_base(codec=llama())
    task = Finetuning(make_job(base=base, settings={"new_tokens": "add"}))
    (fox, *_) = task.codec.encode("fox")
    found = task.sample(uniform(task.codec.vocab_size, fox, context=128))
    assert found["text"].startswith("f f f")


def test_what_is_private_is_not_shown(finetune, dialogues, capsys):
    finetune()
    assert '"' in next(line for line in capsys.readouterr().out.splitlines() if line.startswith("step 5/12"))
    (dialogues / "manifest.json").write_text(json.dumps({"config": {"private": True}}))
    folder = finetune("private")
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("step ")]
    assert said and not any('"' in line for line in said)
    assert (folder / "samples.jsonl").read_bytes() == b""
    assert not any(b"Who has" in path.read_bytes() for path in folder.iterdir())


def test_the_system_message_of_the_dialogues_is_handed_on(finetune, dialogues):
    (dialogues / "manifest.json").write_text(json.dumps({"config": {"system": "Be brief."}}))
    assert read_recipe(finetune())["chat"]["system"] == "Be brief."
    assert Message("system", "Be brief.").role == "system"

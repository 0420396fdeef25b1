"""A cell folder, wherever it lies, is all that reading, scoring and generating need."""

import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from cells import evaluation_job, tiny, uniform, write_cell
from safetensors.torch import save_file
from tuned_cells import tuned, write_tuned

from gptgrid.api import TrainedCell, export, find, load, table
from gptgrid.artifact.errors import UserError
from gptgrid.inference.chat import Conversation
from gptgrid.stages.evaluate.evaluation import evaluate
from gptgrid.text.chat_template import PLAIN, Message
from gptgrid.tokens.codec import BytesCodec, IdsCodec, write_codec

EOT = 256
TEXT = "Käfer 🪲 und 天地"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Return the folder of a cell with random weights."""
    torch.set_num_threads(1)
    cell = tmp_path_factory.mktemp("cell") / "tales.bytes.gpt2.base.s1"
    write_cell(cell / "train", tiny(257))
    return cell


@pytest.fixture(scope="module")
def cell(folder) -> TrainedCell:
    return load(folder, device="cpu")


def test_loads_a_cell_its_train_folder_and_a_copy(folder, cell, tmp_path):
    copy = shutil.copytree(folder / "train", tmp_path / "elsewhere")
    for place in (folder / "train", copy, str(copy)):
        torch.testing.assert_close(load(place, "cpu").forward("abc"), cell.forward("abc"), rtol=0, atol=0)


def test_a_cell_computes_with_the_weights_that_its_figures_are_of(tmp_path):
    best, last = tiny(257), tiny(257, init_std=0.7)
    folder = tmp_path / "tales.bytes.gpt2.base.s1"
    write_cell(folder / "train", best, last=last)
    ids = torch.tensor([[256, 5, 6]])
    for asked, used, expected in (
        (None, None, best),
        (None, "best", best),
        (None, "last", last),
        ("best", "last", best),
        ("last", "best", last),
    ):
        if used:
            (folder / "evaluate").mkdir(exist_ok=True)
            manifest = {"config": {"use": used}, "facts": {}}
            (folder / "evaluate" / "manifest.json").write_text(json.dumps(manifest))
        torch.testing.assert_close(load(folder, "cpu", asked).module(ids), expected(ids), rtol=0, atol=0)
    with pytest.raises(UserError, match=r"has no weights 'first'; take best or last"):
        load(folder, "cpu", "first")


def test_a_file_of_weights_is_a_cell_too(tmp_path):
    best, last, early = tiny(257), tiny(257, init_std=0.7), tiny(257, init_std=0.2)
    folder = write_cell(tmp_path / "cell" / "train", best, last=last)
    step = folder / "step-00000008.safetensors"
    save_file(dict(early.named_parameters()), step)
    ids = torch.tensor([[256, 5, 6]])
    for path, weights, expected in (
        (folder / "model.safetensors", None, best),
        (folder / "last.safetensors", None, last),
        (step, None, early),
        (folder.parent, 8, early),
        (folder.parent, "8", early),
    ):
        assert find(str(path)) == path
        torch.testing.assert_close(load(path, "cpu", weights).module(ids), expected(ids), rtol=0, atol=0)
    with pytest.raises(UserError, match="train has no weights '9'; take best or last or 8"):
        load(folder, weights=9)
    with pytest.raises(UserError, match="says which weights already; leave out weights 'last'"):
        load(step, weights="last")
    (alone := tmp_path / "alone.safetensors").touch()
    with pytest.raises(UserError, match=r"alone\.safetensors is not a trained cell"):
        load(alone)


@pytest.mark.parametrize("missing", ["model.safetensors", "config.json", "codec.json"])
def test_what_is_not_a_cell_is_refused(folder, tmp_path, missing):
    copy = shutil.copytree(folder / "train", tmp_path / "copy")
    (copy / missing).unlink()
    with pytest.raises(UserError, match=r"copy is not a trained cell: looked for model\.safetensors, config"):
        load(copy)


@pytest.mark.parametrize("text", ["{", "{}", "[]", "1"])
def test_a_damaged_recipe_is_named(folder, tmp_path, text):
    copy = shutil.copytree(folder / "train", tmp_path / "copy")
    (copy / "config.json").write_text(text)
    with pytest.raises(UserError, match=r"copy/config\.json is (damaged|no recipe of a trained cell)"):
        load(copy)


def test_the_tokenizer_of_another_cell_is_refused(folder, tmp_path):
    copy = shutil.copytree(folder / "train", tmp_path / "copy")
    write_codec(IdsCodec(10), copy / "codec.json")
    with pytest.raises(
        UserError, match=r"codec\.json in .*copy has 10 tokens, but the model 257: they are of"
    ):
        load(copy)


def test_an_unknown_device_is_refused(folder):
    with pytest.raises(UserError, match="device is 'gpu', but torch finds only"):
        load(folder, device="gpu")


def test_marks_are_tokens_where_one_says_so(tmp_path):
    codec = BytesCodec(["<|u|>"])
    cell = load(write_cell(tmp_path / "train", uniform(258, likely=257), codec), device="cpu")
    assert cell.encode("<|u|>a") == list(b"<|u|>a") and cell.encode("<|u|>a", marks=True) == [257, 97]
    assert cell.decode([257, 97]) == "a" and cell.decode([257, 97], special=True) == "<|u|>a"
    assert cell.generate("<|u|>", 2, temperature=0) == ""
    assert cell.generate("<|u|>", 2, temperature=0, marks=True) == "<|u|><|u|>"
    plain, marked = (cell.score("<|u|>a", marks=marks) for marks in (False, True))
    assert (plain.tokens, marked.tokens) == (6, 2) and plain.bytes == marked.bytes == 6


def test_a_cell_reads_marks_as_its_corpus_did(tmp_path):
    folder = write_cell(tmp_path / "train", uniform(258, likely=257), BytesCodec(["<|u|>"]))
    recipe = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**recipe, "marks": "special"}))
    cell = load(folder, device="cpu")
    assert cell.encode("<|u|>a") == [257, 97]
    assert cell.generate("<|u|>", 2, temperature=0) == "<|u|><|u|>"
    assert cell.generate("<|u|>", 2, temperature=0, marks=False) == ""
    assert cell.score("<|u|>a").tokens == 2


def test_encode_and_decode(cell):
    assert cell.encode("aé") == [97, 195, 169]
    assert cell.decode(cell.encode(TEXT)) == TEXT


@pytest.mark.parametrize("ids", [[1, 2, 99999], [-1], [1.5], "a", None])
def test_decode_refuses_what_is_no_id(cell, ids):
    with pytest.raises(
        UserError, match=r"ids must lie in 0 to 256; found|expected ids, whole numbers; found"
    ):
        cell.decode(ids)
    assert cell.decode(torch.tensor([97, 98])) == "ab"


@pytest.mark.parametrize(
    ("use", "said"),
    [
        (lambda cell: cell.generate("a", top_k=2.5), "top_k is 2.5; expected a whole number"),
        (lambda cell: cell.generate("a", temperature="1"), "temperature is '1'; expected a number"),
        (lambda cell: cell.generate("a", stop=5), "stop is 5; expected a text or several"),
        (lambda cell: cell.generate("a", stop=["b", 5]), r"stop is \['b', 5\]; expected a text or several"),
        (lambda cell: cell.generate("a", stop=None), "stop is None; expected a text or several"),
        (lambda cell: cell.generate("a", seed=1.5), "seed is 1.5; expected a whole number"),
        (lambda cell: cell.stream("a", seed=None), "seed is None; expected a whole number"),
        (
            lambda cell: cell.generate("a", max_new_tokens=2.5),
            "max_new_tokens is 2.5; expected a whole number",
        ),
        (lambda cell: cell.stream(["a", "b"]), r"prompt is \['a', 'b'\]; expected a text"),
        (lambda cell: cell.generate(None), "prompt is None; expected a text or several"),
        (lambda cell: cell.generate(["a", 5]), r"prompt is \['a', 5\]; expected a text or several"),
        (lambda cell: cell.encode(5), "text is 5; expected a text"),
        (lambda cell: cell.score(None), "text is None; expected a text"),
        (lambda cell: cell.forward(None), "expected ids, whole numbers; found None"),
        (lambda cell: cell.forward([1.5]), r"expected ids, whole numbers; found \[1.5\]"),
        (lambda cell: cell.generate("a", beams=300), "beams is 300; 1 is off.*256 at most"),
        (lambda cell: cell.embeddings([0.5]), r"expected ids, whole numbers; found \[0.5\]"),
    ],
)
def test_values_of_another_type_are_refused(cell, use, said):
    with pytest.raises(UserError, match=said):
        use(cell)


def test_forward_gives_logits_after_each_token(cell):
    logits = cell.forward("abcde")
    assert logits.shape == (5, 257) and logits.dtype == torch.float32
    torch.testing.assert_close(cell.forward([97, 98, 99]), logits[:3])


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ([], "0 tokens; the model reads 1 to 8 at once"),
        ([1] * 9, "9 tokens; the model reads 1 to 8 at once"),
        ([3, 257], "ids must lie in 0 to 256; found 3 to 257"),
        ([-1], "ids must lie in 0 to 256"),
    ],
)
def test_forward_refuses_what_the_model_cannot_read(cell, ids, said):
    with pytest.raises(UserError, match=said):
        cell.forward(ids)


@pytest.mark.parametrize("preset", ["modern", "encoder"])
def test_attention_is_what_the_model_multiplies_values_by(preset):
    heads = {"n_head": 4, "n_kv_head": 2} if preset == "modern" else {"n_head": 4}
    cell = TrainedCell(tiny(257, preset=preset, **heads), BytesCodec())
    before = cell.forward("abcde")
    maps = cell.attention("abcde")
    assert maps.shape == (2, 4, 5, 5) and maps.dtype == torch.float32
    torch.testing.assert_close(maps.sum(-1), torch.ones(2, 4, 5))
    assert not maps.triu(1).any() and (maps[..., 1:, 0] > 0).all()
    torch.testing.assert_close(cell.attention([97, 98, 99]), maps[..., :3, :3])
    assert torch.equal(cell.forward("abcde"), before)
    with pytest.raises(UserError, match="9 tokens; the model reads 1 to 8 at once"):
        cell.attention("abcdefghi")


def test_embeddings_of_ids_words_and_the_whole_vocabulary(cell):
    table = cell.module.embedding.tokens.weight
    assert torch.equal(cell.embeddings(), table) and cell.embeddings().shape == (257, 16)
    assert torch.equal(cell.embeddings([3, 256]), table[[3, 256]])
    torch.testing.assert_close(cell.embeddings("é"), table[[195, 169]].mean(0, keepdim=True))
    torch.testing.assert_close(cell.embeddings(["a", "é"]), torch.cat([table[[97]], cell.embeddings("é")]))
    assert cell.embeddings([]).shape == (0, 16)
    for words, said in (("", "'' has no token"), ([257], "ids must lie in 0 to 256; found 257")):
        with pytest.raises(UserError, match=said):
            cell.embeddings(words)


def test_a_model_of_ones_own_is_a_cell_with_a_tokenizer():
    cell = TrainedCell(tiny(257), BytesCodec())
    assert cell.context == 8 and cell.config["model"]["n_layer"] == 2 and not cell.module.training
    assert cell.generate("a", 5, ignore_eos=True) and cell.score("abc").tokens == 3


def test_several_prompts_are_continued_as_each_alone(cell):
    options = {"max_new_tokens": 20, "ignore_eos": True, "temperature": 1.5}
    prompts = ["The", "", "天地玄黄", "The"]
    found = cell.generate(prompts, seed=4, **options)
    assert found == [cell.generate(prompt, seed=4 + row, **options) for row, prompt in enumerate(prompts)]
    assert found[0] != found[3] and cell.generate([]) == []


def test_what_a_stop_text_ends_is_left_out(cell):
    whole = cell.generate("The", 30, ignore_eos=True)
    stop = whole[4:6]
    for given in (stop, [stop], ("never there", stop)):
        assert cell.generate("The", 30, ignore_eos=True, stop=given) == whole[: whole.index(stop)]


def test_beam_search_is_a_setting(cell):
    found = cell.generate("The", 6, beams=3, ignore_eos=True)
    assert found == "".join(cell.stream("The", 6, beams=3, ignore_eos=True, seed=9))


def test_generate_draws_by_its_seed(cell):
    options = {"max_new_tokens": 30, "temperature": 1.0, "top_p": 1.0, "ignore_eos": True}
    text = cell.generate("The", seed=4, **options)
    assert isinstance(text, str)
    assert cell.generate("The", seed=4, **options) == text != cell.generate("The", seed=5, **options)


def test_generate_hands_every_setting_on(tmp_path):
    cell = load(write_cell(tmp_path / "cell", uniform(257, likely=EOT)), "cpu")
    assert cell.generate("a") == ""
    assert cell.generate("a", ignore_eos=True, max_new_tokens=3) == ""
    flat = load(write_cell(tmp_path / "flat", uniform(257)), "cpu")
    draws = {"ignore_eos": True, "max_new_tokens": 8}
    assert flat.generate(temperature=0, **draws) == flat.generate(top_k=1, **draws) == "\0" * 8
    assert flat.generate(top_p=1e-9, **draws) == "\0" * 8
    greedy = flat.generate(temperature=0, repetition_penalty=2.0, **draws)
    assert greedy == "\0" * 8  # logits of 0 stay 0 under a penalty
    settings = [{"temperature": -1}, {"top_k": -1}, {"top_p": 0}, {"min_p": 2}, {"repetition_penalty": 0}]
    settings += [{"no_repeat_ngram": -1}, {"beams": 0}, {"length_penalty": math.inf}, {"stop": ""}]
    for setting in settings:
        with pytest.raises(UserError, match=next(iter(setting))):
            flat.generate(**setting)
        with pytest.raises(UserError, match=next(iter(setting))):
            flat.stream(**setting)
    with pytest.raises(UserError, match="there is no setting 'temprature'; there are temperature, top_k"):
        flat.generate(temprature=1)


def test_the_penalty_does_not_put_off_the_end_of_a_text(tmp_path):
    module = uniform(257, likely=EOT)
    with torch.no_grad():
        module.head.bias[65] = 40.0  # below the end of text, and above half of it
    cell = load(write_cell(tmp_path / "cell", module), "cpu")
    assert cell.generate("a", temperature=0, repetition_penalty=2.0) == ""


def test_the_stream_is_the_text_in_whole_characters(cell):
    options = {"max_new_tokens": 60, "temperature": 2.0, "top_p": 1.0, "ignore_eos": True}
    pieces = list(cell.stream("x", **options))
    assert len(pieces) > 5
    assert "".join(pieces) == cell.generate("x", **options)


@pytest.mark.parametrize(
    "cell",
    [tuned(), tuned("AB\n", PLAIN), TrainedCell(tiny(257, context=64), BytesCodec())],
    ids=["marks", "a text ends it", "base"],
)
def test_chat_is_what_a_conversation_says(cell):
    talk, messages = Conversation(cell), []
    for text in ("Who?", "Where?"):
        messages.append({"role": "user", "content": text})
        said = "".join(talk.ask(text))
        assert said and cell.chat(messages, seed=len(messages) // 2) == said
        messages.append({"role": "assistant", "content": said})
    assert cell.chat("Who?") == messages[1]["content"] == cell.chat([Message("user", "Who?")])
    assert cell.chat("Who?", 1, temperature=0) == cell.chat("Who?", temperature=0)[:1]
    if cell.conversations:
        assert cell.chat("Who?") == "AB" and cell.chat("Who?", stop="B") == "A"


@pytest.mark.parametrize("messages", [{"role": "user", "content": "a"}, [], None])
def test_what_is_no_list_of_messages_is_refused(cell, messages):
    with pytest.raises(UserError, match=r"messages is .*; expected a text or a list of messages"):
        cell.chat(messages)


@pytest.mark.parametrize("message", [{"role": "robot", "content": "a"}, {"role": "user"}, 5])
def test_what_is_no_message_is_refused(cell, message):
    with pytest.raises(UserError, match=r"messages: found .*; expected .*the role system, user, assistant"):
        cell.chat([message])


def test_export_takes_names_and_settings(tmp_path, monkeypatch):
    write_tuned(tmp_path / "results" / "my" / "cells" / "toy.bytes.gpt2.base.s1.chat" / "finetune", tuned())
    monkeypatch.chdir(tmp_path)
    assert export("toy chat", "safetensors", "out") == Path("out")
    assert load("out", "cpu").chat("Who?") == "AB"
    assert export("toy chat", "safetensors", tmp_path / "half", "float16", weights="last").is_dir()
    with pytest.raises(UserError, match="there is no format 'onnx'; there are hf, gguf, bin, safetensors"):
        export("toy chat", "onnx", "other")


def test_score_of_a_uniform_model_by_hand(tmp_path):
    found = load(write_cell(tmp_path / "cell", uniform(257)), "cpu").score(TEXT)
    size = len(TEXT.encode())
    assert (found.tokens, found.bytes) == (size, size)
    assert found.nats == pytest.approx(size * math.log(257), rel=1e-6)
    assert found.bpb == pytest.approx(math.log2(257), rel=1e-6)
    assert found.perplexity == pytest.approx(257, rel=1e-6)


@pytest.mark.parametrize("stride", [None, 8, 1])
def test_score_is_what_the_evaluate_stage_says(tmp_path, stride):
    text = "The cat sat. 天地玄黄"
    job = evaluation_job(tmp_path, tiny(257), [text], stride=stride)
    evaluate(job)
    expected = json.loads((job.folder / "evaluation.json").read_text())
    found = vars(load(job.inputs["train"], "cpu").score(text, stride=stride))
    renamed = {"tokens": "scored_tokens"}
    assert found == {key: expected[renamed.get(key, key)] for key in found}


def test_score_needs_a_text(cell):
    with pytest.raises(UserError, match="no token to score"):
        cell.score("")


def test_a_cell_of_bare_ids(tmp_path):
    cell = load(write_cell(tmp_path / "cell", uniform(10, likely=7), IdsCodec(10)), "cpu")
    assert cell.generate(max_new_tokens=3) == "".join(cell.stream("1 2", max_new_tokens=3)) == "7 7 7 "
    found = cell.score("1 7 7")
    assert found.tokens == 2 and found.nats == pytest.approx(0, abs=1e-6)
    assert found.bytes is None and found.bpb is None
    with pytest.raises(UserError, match="is not token ids"):
        cell.score("a text")


# ------------------------------------------------------------------------------------------- find

NAMES = [
    "first/tales.bpe-512.llama-xs.base.s1",
    "first/tales.bpe-512.llama-xs.base.s10",
    "first/tales.char.gpt2.base+lr=0.003.s1",
    "first/toy.char.gpt2.base.s1",
    "first/toy.char.gpt2+n_layer=4.base.s1",
    "second/toy.char.gpt2.base.s1",
]


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    """Return a results folder with cells that cannot compute, and one that is not trained yet."""
    root = tmp_path_factory.mktemp("results")
    for name in NAMES:
        experiment, cell = name.split("/")
        train = root / experiment / "cells" / cell / "train"
        train.mkdir(parents=True)
        for file in ("model.safetensors", "config.json", "codec.json"):
            (train / file).touch()
    (root / "first" / "cells" / "tales.char.encoder.base.s1").mkdir()
    return root


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("first/toy.char.gpt2.base.s1", 3),
        ("tales.bpe-512.llama-xs.base.s1", 0),  # and not s10
        ("tales bpe-512 llama s1", 0),
        ("bpe s10", 1),
        ("tales char", 2),
        ("lr=0.003", 2),
        ("second", 5),
        ("toy n_layer=4", 4),
        ("toy gpt2 first", 3),  # and not gpt2+n_layer=4
        ("second/", 5),
    ],
)
def test_find_by_parts_of_the_name(results, names, expected):
    experiment, cell = NAMES[expected].split("/")
    assert find(names, results) == results / experiment / "cells" / cell


def test_find_takes_a_path(folder, results):
    assert find(str(folder), results) == folder
    assert find(str(folder / "train"), results) == folder / "train"


def test_a_folder_of_an_experiment_and_a_name_that_no_file_has(results):
    assert find(f"{results}/second/", results) == results / "second" / "cells" / "toy.char.gpt2.base.s1"
    with pytest.raises(UserError, match="no trained cell matches 'xxx"):
        find("x" * 300, results)


def test_find_takes_no_step(results):
    with pytest.raises(
        UserError, match=r"^toy gpt2 first@20 means .* but find takes none: .*; leave out @20$"
    ):
        find("toy gpt2 first@20", results)


def test_several_matches_are_listed(results):
    with pytest.raises(UserError, match="matches 2 cells") as caught:
        find("toy.char.gpt2.base.s1", results)
    assert "first/toy.char.gpt2.base.s1" in str(caught.value)
    assert "second/toy.char.gpt2.base.s1" in str(caught.value)
    assert "tales" not in str(caught.value)


@pytest.mark.parametrize("nothing", ["", " "])
def test_no_name_at_all_means_no_cell(results, nothing):
    with pytest.raises(UserError, match=f"no trained cell matches {nothing!r}; there are:"):
        find(nothing, results)


def test_no_match_lists_what_is_there(results):
    with pytest.raises(UserError, match="no trained cell matches 'decoder'") as caught:
        find("decoder", results)
    assert all(name in str(caught.value) for name in NAMES)


def test_no_cells_at_all(tmp_path):
    with pytest.raises(UserError, match=r"there is none under .*; run snakemake, which trains those of"):
        find("tales", tmp_path)


@pytest.mark.parametrize("names", ["encoder", "first/tales.char.encoder.base.s1"])
def test_a_cell_that_is_not_trained_yet_is_said_to_be(results, names):
    with pytest.raises(
        UserError, match=r"encoder\.base\.s1 is not trained yet .*; run snakemake, which goes on"
    ):
        find(names, results)
    with pytest.raises(
        UserError, match=r"is not a trained cell: looked for model\.safetensors.*run snakemake"
    ):
        load(results / "first" / "cells" / "tales.char.encoder.base.s1")


def test_a_cell_that_is_not_trained_yet_is_said_to_be_for_its_path_too(results):
    cell = results / "first" / "cells" / "tales.char.encoder.base.s1"
    with pytest.raises(UserError) as caught:
        find(str(cell), results)
    assert str(caught.value).startswith(f"{cell} is not trained yet (it has no train/model.safetensors)")
    nowhere = f"{results}/first/cells/nowhere"
    with pytest.raises(UserError, match=f"no trained cell matches '{nowhere}'"):
        find(nowhere, results)


@pytest.mark.parametrize("missing", ["config.json", "codec.json"])
def test_what_a_cell_lacks_is_said(folder, tmp_path, missing):
    cell = tmp_path / "my" / "cells" / folder.name
    shutil.copytree(folder, cell)
    (cell / "train" / missing).unlink()
    for names in (folder.name, str(cell), str(cell / "train")):
        with pytest.raises(UserError, match=rf"{folder.name}\S* is no whole cell: it has no {missing}"):
            find(names, tmp_path)
    with pytest.raises(UserError, match=rf"is not a trained cell: .* and found no {missing}"):
        load(cell)


def test_load_takes_names_as_find_does(folder, tmp_path, monkeypatch):
    shutil.copytree(folder, tmp_path / "results" / "my" / "cells" / folder.name)
    monkeypatch.chdir(tmp_path)
    assert load("tales gpt2 s1", "cpu").context == 8
    with pytest.raises(UserError, match="no trained cell matches 'tales llama'; there are"):
        load("tales llama")


def test_a_cell_that_the_grid_no_longer_has_is_found_by_its_path_alone(tmp_path):
    for name in ("toy.char.gpt2.base.s1", "toy.char.old.base.s1"):
        (train := tmp_path / "my" / "cells" / name / "train").mkdir(parents=True)
        for file in ("model.safetensors", "config.json", "codec.json"):
            (train / file).touch()
    old = tmp_path / "my" / "cells" / "toy.char.old.base.s1"
    assert find("old", tmp_path) == old  # without tables nothing says that it is
    (tmp_path / "my" / "compare").mkdir()
    (tmp_path / "my" / "compare" / "summary.csv").write_text("cell,seed\ntoy.char.gpt2.base.s1,1\n")
    assert find("toy", tmp_path).name == "toy.char.gpt2.base.s1"
    with pytest.raises(UserError, match="'old' matches only what the grid") as caught:
        find("old", tmp_path)
    assert str(old) in str(caught.value)
    assert find(str(old), tmp_path) == old


def test_a_long_list_is_cut(tmp_path):
    for number in range(30):
        write = tmp_path / "many" / "cells" / f"toy.char.gpt2.base.s{number}" / "train"
        write.mkdir(parents=True)
        for file in ("model.safetensors", "config.json", "codec.json"):
            (write / file).touch()
    with pytest.raises(UserError, match="matches 30 cells") as caught:
        find("toy", tmp_path)
    assert "… and 10 more" in str(caught.value)


def test_tables_are_chosen_from_what_is_returned(tmp_path):
    with pytest.raises(UserError, match=r"samples is no folder of results.*table\('mine'\)\['samples'\]"):
        table("mine", "samples")
    with pytest.raises(UserError, match="mine is no finished experiment"):
        table("mine", tmp_path)

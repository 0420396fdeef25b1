"""Text to tokenizers and shards: speed and memory beside the tools that people would pick instead.

    python benchmarks/data.py              # encoding and BPE training, about five minutes
    python benchmarks/data.py --whole      # and the whole way, from 10 MB to 2 GB, about 25 minutes
    python benchmarks/data.py --long       # one document of any length alone, about ten minutes

Every measurement is a process of its own: its wall time and its peak memory are those that the system
reports. Repeats of all contestants take turns, so that a noisy machine is noisy for all. `GPTGRID_MIRROR`
must name a folder with WikiText-2 and the two Chinese novels.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MB = 10**6
REPEATS = 3
THREADS = 2
VOCAB_SIZE = 4096


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--whole", action="store_true", help="measure the whole way too")
    parser.add_argument("--long", action="store_true", help="measure one document of any length, and no more")
    parser.add_argument("--step", nargs=2, metavar=("NAME", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        name, folder = arguments.step
        if name.startswith("write"):
            _, language, megabytes = name.split("-")
            return write_text(Path(folder), language, int(megabytes))
        if name in FORMS:
            return reform(Path(folder) / "text.txt", FORMS[name])
        return STEPS[name](Path(folder))
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/tmp")) as folder:
        if arguments.long:
            return long_documents(Path(folder))
        for language in ("english", "chinese"):
            work = Path(folder) / language
            run(f"write-{language}-50", work)
            run("split", work)
            size = (work / "text.txt").stat().st_size
            base = run("nothing", work)
            baseline = run("read", work)
            print(f"\n{language}, {size / MB:.0f} MB", flush=True)
            compare("train a BPE of 10,000", ("train", "train_huggingface"), work, size, baseline)
            run("vocabulary", work)
            contestants = ("encode", "encode_tiktoken", "encode_huggingface", "encode_huggingface_fast")
            compare("text to .bin", contestants, work, size, base)
        if arguments.whole:
            print("\nthe whole way: corpus, tokenizer (bpe, 10,000), encode")
            for megabytes in (10, 100, 1000, 2000):
                whole_way(Path(folder) / f"whole-{megabytes}", megabytes)
    return None


def compare(title: str, steps: tuple[str, ...], work: Path, size: int, base: tuple[float, float]) -> None:
    """Print medians and ratios of several ways to do the same."""
    rounds = [{step: run(step, work) for step in steps} for _ in range(REPEATS)]
    print(f"  {title}")
    first = None
    for step in steps:
        seconds = statistics.median(result[step][0] for result in rounds)
        peak = statistics.median(result[step][1] for result in rounds)
        first = first or seconds
        print(
            f"    {step:20} {seconds:6.2f} s  {size / MB / seconds:6.1f} MB/s  ×{seconds / first:.2f}  "
            f"peak {peak:5.0f} MB, {peak - base[1]:5.0f} MB above {base[1]:.0f}",
            flush=True,
        )


def run(step: str, folder: Path) -> tuple[float, float]:
    """Run a step in a process of its own; return the seconds that it measured, and its peak memory in MB."""
    command = [sys.executable, str(Path(__file__).resolve()), "--step", step, str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "TOKENIZERS_PARALLELISM": "true"}
    environment["RAYON_NUM_THREADS"] = str(THREADS)
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, env=environment, stdout=output)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
        output.seek(0)
        lines = output.read().splitlines()
    if status:
        raise SystemExit(f"{step} failed")
    measured = float(lines[-1]) if lines and lines[-1].replace(".", "", 1).isdigit() else 0.0
    return measured, usage.ru_maxrss / 1024


def timed(function: Callable[[Path], Iterator[None]]) -> Callable[[Path], None]:
    """Make a step that prints how long it took from its `yield` on: imports are set-up."""

    def step(folder: Path) -> None:
        work = function(folder)
        next(work)
        start = time.perf_counter()
        next(work, None)
        print(time.perf_counter() - start)

    return step


# ------------------------------------------------------------------------------------------- text


def paragraphs(language: str) -> list[str]:
    """Return paragraphs of real text."""
    mirror = Path(os.environ["GPTGRID_MIRROR"])
    if language == "english":
        import pyarrow.parquet as pq

        path = next(mirror.glob("huggingface.co/datasets/Salesforce/wikitext/resolve/*/wikitext-2-v1/train*"))
        rows = pq.read_table(path).column(0).to_pylist()
    else:
        novels = ("红楼梦.txt", "三国演义.txt")
        paths = [
            next(mirror.glob(f"raw.githubusercontent.com/tennessine/corpus/*/{name}")) for name in novels
        ]
        rows = [line for path in paths for line in path.read_text(encoding="utf-8").splitlines()]
    return [row.strip() for row in rows if row.strip()]


def write_text(folder: Path, language: str, megabytes: int) -> None:
    """Write a text of some size: real paragraphs in random order, with new words as real text has them."""
    folder.mkdir()
    source = random.Random(0)
    texts = paragraphs(language)
    size = 0
    with (folder / "text.txt").open("w", encoding="utf-8") as file:
        while size < megabytes * MB:
            words = source.choice(texts).split(" ")
            for _ in range(len(words) // 100):
                words[source.randrange(len(words))] = made_up(source, language)
            text = " ".join(words) + "\n\n"
            size += len(text.encode())
            file.write(text)


def made_up(source: random.Random, language: str) -> str:
    """Return a word that hardly any text has."""
    if language == "chinese":
        return "".join(chr(source.randrange(0x4E00, 0x9000)) for _ in range(3))
    return "".join(source.choices("etaoinshrdlcumwfgypbvk", k=source.randrange(4, 10)))


# ------------------------------------------------------------------------------------------ steps


def nothing(folder: Path) -> None:
    """Import what encoding needs."""
    import numpy  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    import gptgrid.stages.encode.encode  # noqa: F401


def split(folder: Path) -> None:
    """Write the documents as a corpus has them."""
    from gptgrid.text.documents import write_documents

    text = (folder / "text.txt").read_text(encoding="utf-8")
    write_documents(folder / "train-00000.parquet", (piece for piece in text.split("\n\n") if piece))


def read(folder: Path) -> None:
    """Read all documents: the memory that a list of them takes."""
    from gptgrid.text.documents import read_documents

    list(read_documents(folder, "train"))


@timed
def train(folder: Path) -> Iterator[None]:
    from gptgrid.stages.tokenizer.make import learn_merges
    from gptgrid.text.documents import read_documents
    from gptgrid.tokens.patterns import PATTERNS

    yield
    learn_merges(read_documents(folder, "train"), 10_000, PATTERNS["gpt4"])


@timed
def train_huggingface(folder: Path) -> Iterator[None]:
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

    from gptgrid.text.documents import read_documents
    from gptgrid.tokens.patterns import PATTERNS

    tokenizer = Tokenizer(models.BPE())
    cut = pre_tokenizers.Split(Regex(PATTERNS["gpt4"]), "isolated")
    bytewise = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([cut, bytewise])
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=10_000, initial_alphabet=alphabet, show_progress=False)
    yield
    tokenizer.train_from_iterator(read_documents(folder, "train"), trainer)


def vocabulary(folder: Path) -> None:
    """Train the vocabulary that all encoders use."""
    from gptgrid.stages.tokenizer.make import learn_merges
    from gptgrid.text.documents import read_documents
    from gptgrid.tokens.codec import BpeCodec, write_codec
    from gptgrid.tokens.huggingface import to_tokenizer_json
    from gptgrid.tokens.patterns import PATTERNS

    pattern = PATTERNS["gpt4"]
    codec = BpeCodec("bpe", pattern, learn_merges(read_documents(folder, "train"), VOCAB_SIZE - 1, pattern))
    write_codec(codec, folder / "codec.json")
    (folder / "tokenizer.json").write_text(to_tokenizer_json(codec), encoding="utf-8")


@timed
def encode(folder: Path) -> Iterator[None]:
    from gptgrid.stages.encode.encode import encode_file
    from gptgrid.tokens.codec import read_codec

    codec = read_codec(folder)
    yield
    encode_file(folder / "train-00000.parquet", folder / "a.bin", codec, THREADS)


@timed
def encode_tiktoken(folder: Path) -> Iterator[None]:
    import numpy as np

    from gptgrid.tokens.codec import read_codec

    encoding = read_codec(folder).encoding

    yield
    with (folder / "text.txt").open(encoding="utf-8") as text, (folder / "b.bin").open("wb") as file:
        while lines := text.readlines(THREADS * 2**20):
            half = len(lines) // THREADS
            for ids in encoding.encode_ordinary_batch(
                ["".join(lines[:half]), "".join(lines[half:])], num_threads=THREADS
            ):
                np.array(ids, dtype=np.uint16).tofile(file)


@timed
def encode_huggingface(folder: Path) -> Iterator[None]:
    """`encode_batch`, which most programs call."""
    yield from huggingface(folder, "encode_batch")


@timed
def encode_huggingface_fast(folder: Path) -> Iterator[None]:
    """`encode_batch_fast`, which leaves out where tokens stand in the text."""
    yield from huggingface(folder, "encode_batch_fast")


def huggingface(folder: Path, method: str) -> Iterator[None]:
    import numpy as np
    from tokenizers import Tokenizer

    from gptgrid.text.documents import batches, read_documents

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))

    yield
    with (folder / "c.bin").open("wb") as file:
        for batch in batches(read_documents(folder, "train"), THREADS * 2**20):
            for found in getattr(tokenizer, method)(batch):
                np.array(found.ids, dtype=np.uint16).tofile(file)


# ---------------------------------------------------------------------------------- the whole way


def whole_way(folder: Path, megabytes: int) -> None:
    """Print time and peak memory of the three programs for a text of some size."""
    run(f"write-english-{megabytes}", folder)
    found = programs(folder, {}, 10_000)
    total = sum(seconds for seconds, _ in found.values())
    peak = max(memory for _, memory in found.values())
    line = "; ".join(
        f"{stage} {seconds:.1f} s, {memory:.0f} MB" for stage, (seconds, memory) in found.items()
    )
    rate = megabytes / total
    print(f"  {megabytes:5} MB: {total:6.1f} s, {rate:.1f} MB/s, peak {peak:.0f} MB  ({line})")
    subprocess.run(["rm", "-rf", str(folder)], check=True)


def long_documents(folder: Path) -> None:
    """Print time and peak memory of the three programs for a text in paragraphs, and as one document."""
    for megabytes, form in (*((59, form) for form in FORMS), (300, "line")):
        work = folder / f"{form}-{megabytes}"
        run(f"write-english-{megabytes}", work)
        run(form, work)
        by_position = {"document": "whole", "split": {"by": "position"}}
        keys = {"paragraphs": {"document": "blank-line"}, "whole": by_position}.get(
            form, {"document": "line"}
        )
        found = programs(work, keys, 1000)
        line = "; ".join(
            f"{stage} {memory:.0f} MB, {seconds:.1f} s" for stage, (seconds, memory) in found.items()
        )
        print(f"  {megabytes:5} MB, {form:10}: {line}", flush=True)
        subprocess.run(["rm", "-rf", str(work)], check=True)


FORMS: dict[str, Callable[[str], str]] = {
    "paragraphs": lambda text: text,
    "whole": lambda text: text,
    "line": lambda text: one_line(text),
    "ascii": lambda text: one_line(text.encode("ascii", "ignore").decode()),
    "emoji": lambda text: one_line(f"{text}😀"),
    "no-blanks": lambda text: one_line(text.replace(" ", "").replace("\n", "")),
}
"""Name → what becomes of a text; what is one line has some short ones behind it, for the other splits."""


def one_line(text: str) -> str:
    """Return a text as one line, and some short ones."""
    return text.replace("\n\n", " ") + "".join(f"\nshort {number}" for number in range(20))


def reform(path: Path, form: Callable[[str], str]) -> None:
    """Give a text another form, in a process of its own: peaks of children count what their parent holds."""
    path.write_text(form(path.read_text(encoding="utf-8")), encoding="utf-8")


def programs(folder: Path, corpus: dict, vocab_size: int) -> dict[str, tuple[float, float]]:
    """Run the three programs on `text.txt` as Snakemake starts them; return stage → seconds, peak in MB."""
    config = {
        "experiment": "whole",
        "corpora": {"text": {"source": "files", "paths": ["text.txt"], **corpus}},
        "tokenizers": {"bpe": {"kind": "bpe", "vocab_size": vocab_size}},
        "models": {"gpt2": {}},
        "training": {"base": {"steps": 1}},
        "grid": [{}],
    }
    (folder / "config.yaml").write_text(json.dumps(config))
    plan = (
        f"from gptgrid.plan.plan import read_plan; read_plan(['{folder}/config.yaml'], {{}}).write_requests()"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    found = {}
    subprocess.run([sys.executable, "-c", plan], cwd=folder, env=environment, check=True)
    for stage in ("corpus", "tokenizer", "encode"):
        [request] = (folder / "results" / ".store" / "requests" / stage).glob("*.json")
        script = str(ROOT / "workflow" / "scripts" / f"{stage}.py")
        start = time.perf_counter()
        command = [sys.executable, script, str(request.relative_to(folder)), "--threads", str(THREADS)]
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
        if status:
            raise SystemExit(f"{stage} failed")
        found[stage] = time.perf_counter() - start, usage.ru_maxrss / 1024
    return found


STEPS = {
    step: globals()[step]
    for step in (
        *("nothing", "split", "read", "train", "train_huggingface", "vocabulary"),
        *("encode", "encode_tiktoken", "encode_huggingface", "encode_huggingface_fast"),
    )
}


if __name__ == "__main__":
    main()

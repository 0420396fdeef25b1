"""An unknown key is answered with the key that was meant, and with the place that it belongs in."""

import pytest

from gptgrid.config.corpora import BuiltinCorpus, FilesCorpus, HubCorpus, UrlCorpus
from gptgrid.config.dialogues import FilesDialogues
from gptgrid.config.experiment import Answers, ConfigurationFile, Decoding, Evaluation, Sampling
from gptgrid.config.finetuning import Finetuning, Lora
from gptgrid.config.models import Model
from gptgrid.config.suggest import unknown_key
from gptgrid.config.tasks import Task
from gptgrid.config.tokenizers import CharTokenizer, HuggingFaceTokenizer
from gptgrid.config.training import Training

KNOWN = {
    "": ConfigurationFile,
    "models": Model,
    "training": Training,
    "finetuning": Finetuning,
    "finetuning.lora": Lora,
    "evaluation": Evaluation,
    "evaluation.answers": Answers,
    "sampling": Sampling,
    "sampling.decodings": Decoding,
    "tokenizers": CharTokenizer,
    "tokenizers.huggingface": HuggingFaceTokenizer,
    "corpora.files": FilesCorpus,
    "corpora.url": UrlCorpus,
    "corpora.hub": HubCorpus,
    "corpora.builtin": BuiltinCorpus,
    "dialogues.files": FilesDialogues,
    "evaluation.tasks": Task,
}


@pytest.mark.parametrize(
    ("place", "key", "expected"),
    [
        ("training", "use_amp", "did you mean 'precision'?"),
        ("training", "batch_size", "did you mean 'batch_tokens'? (tokens, not rows: rows × context"),
        ("training", "max_iters", "did you mean 'steps'?"),
        ("training", "eval_iters", "leave it out: a validation scores the whole split"),
        ("", "save_dir", "leave it out: results lie under results/<experiment>/cells"),
        ("training", "--batch-size", "did you mean 'batch_tokens'? (tokens, not rows: rows × context"),
        ("training", "--resume", "leave it out: a training that was killed goes on by itself"),
        ("training", "resume_from_checkpoint", "leave it out: a training that was killed goes on by itself"),
        (
            "training",
            "best.pt",
            "leave it out: model.safetensors has the weights of the lowest validation loss",
        ),
        ("training", "checkpoint_dir", "leave it out: results lie under results/<experiment>/cells"),
        ("training", "grad_accum", "did you mean 'micro_batch'? (rows that go through at once"),
        (
            "training",
            "dtype",
            "did you mean 'precision'? (a word: fp32 or auto, in a training also bf16 or fp16)",
        ),
        (
            "training",
            "save_checkpoint_every",
            "did you mean 'checkpoints'? (keys: `{every: 1000, keep: all}`",
        ),
        ("models", "n_embed", "did you mean 'd_model'?"),
        ("models", "norm_type", "did you mean 'norm'?"),
        ("models", "d-model", "did you mean 'd_model'?"),
        ("training", "eval_freq", "did you mean 'eval_every'?"),
        ("training", "shuffle", "did you mean 'windows'?"),
        ("training", "early_stopping", "did you mean 'patience'?"),
        ("training", "warmup_ratio", "did you mean 'warmup'?"),
        ("training", "eval_steps", "did you mean 'eval_every'?"),
        ("training", "save_every", "write it as `run.checkpoint_every`"),
        ("training", "save_steps", "write it as `run.checkpoint_every`"),
        ("training", "logging_steps", "write it as `run.log_every`"),
        ("models", "num_layers", "did you mean 'n_layer'?"),
        ("training", "window", "did you mean 'windows'?"),
        ("training", "log_interval", "write it as `run.log_every`"),
        ("training", "num_workers", "write it as `run.workers`"),
        ("training", "resume", "leave it out: a training that was killed goes on by itself"),
        ("training", "eval_tokens", "`eval_bytes` takes its place: so many bytes of whole documents"),
        ("evaluation", "tokens", "`bytes` takes its place: so many bytes of whole documents"),
        ("evaluation", "eval_tokens", "`bytes` takes its place: so many bytes of whole documents"),
        ("training", "temperature", "write it as `sampling.decodings.NAME.temperature`"),
        ("training", "block_size", "write it as `models.NAME.context`"),
        ("sampling", "temperature", "write it as `sampling.decodings.NAME.temperature`"),
        ("sampling.decodings", "seed", "write it as `sampling.seed`"),
        ("", "device", "write it as `run.device`"),
        ("", "seed", "seeds of cells stand in a block of `grid`: `seed: [1, 2]`"),
        ("training", "seed", "seeds of cells stand in a block of `grid`: `seed: [1, 2]`"),
        ("", "learning_rate", "write it as `training.NAME.lr`"),
        ("models", "lr", "write it as `training.NAME.lr`"),
        ("models", "vocab_size", "write it as `tokenizers.NAME.vocab_size`"),
        ("models", "n_embd", "did you mean 'd_model'?"),
        ("tokenizers", "vocab_size", "`vocab_size` goes with kind bpe"),
        ("corpora.files", "files", "did you mean 'paths'? (a list of files, folders or globs)"),
        ("corpora.files", "file", "did you mean 'paths'?"),
        ("corpora.files", "path", "did you mean 'paths'?"),
        ("corpora.files", "data_files", "did you mean 'paths'?"),
        ("corpora.files", "text_file", "did you mean 'paths'?"),
        ("corpora.files", "train_file", "did you mean 'train'?"),
        ("corpora.files", "text_column", "did you mean 'field'?"),
        ("corpora.url", "files", "`paths` goes with source files, shards"),
        ("corpora.builtin", "path", "`path` goes with source hub"),
        ("corpora.hub", "file", "`paths` goes with source files, shards"),
        ("dialogues.files", "files", "did you mean 'paths'?"),
        ("evaluation.tasks", "file", "did you mean 'paths'?"),
        ("evaluation", "files", "write it as `evaluation.tasks.NAME.paths`"),
        ("", "files", "write it as `corpora.NAME.paths` (a list of files, folders or globs)"),
        ("", "path", "write it as `corpora.NAME.paths`"),
        ("tokenizers", "file", "`file` goes with kind huggingface"),
        ("tokenizers.huggingface", "files", "did you mean 'file'?"),
        ("models", "qwertz", "known: preset, n_layer"),
        ("finetuning", "lora_r", "write it as `finetuning.NAME.lora.rank`"),
        ("finetuning", "lora_alpha", "write it as `finetuning.NAME.lora.alpha` (the product is multiplied"),
        ("finetuning", "lora_dropout", "write it as `finetuning.NAME.lora.dropout`"),
        ("finetuning", "target_modules", "write it as `finetuning.NAME.lora.targets` (parts of a block"),
        ("finetuning.lora", "r", "did you mean 'rank'?"),
        ("finetuning.lora", "target_modules", "did you mean 'targets'?"),
        ("finetuning", "max_seq_length", "write it as `models.NAME.context` (rows are as long as"),
        ("finetuning", "packing", "leave it out: whole conversations are packed into rows"),
        ("finetuning", "assistant_only_loss", "leave it out: the loss counts answers alone"),
        ("finetuning", "chat_template", "did you mean 'template'?"),
        ("finetuning", "num_train_epochs", "did you mean 'epochs'?"),
        (
            "finetuning",
            "per_device_train_batch_size",
            "did you mean 'batch_tokens'? (tokens of a whole step,",
        ),
        ("finetuning", "gradient_accumulation_steps", "did you mean 'micro_batch'? (rows that go through"),
        ("finetuning", "load_in_4bit", "leave it out: nothing is quantized in training"),
        ("models", "load_in_8bit", "leave it out: nothing is quantized in training"),
        ("finetuning", "neftune_noise_alpha", "leave it out: no noise is added to embeddings"),
        ("finetuning.lora", "bias", "leave it out: biases learn where all weights do, and none with `lora`"),
        ("finetuning", "bias", "leave it out: biases learn where all weights do"),
        ("training", "bias", "write it as `models.NAME.bias`"),
        ("finetuning.lora", "task_type", "leave it out: every model here goes on with a text"),
        ("finetuning.lora", "modules_to_save", "leave it out: beside LoRA the embeddings of the template's"),
        ("finetuning.lora", "use_rslora", "leave it out, and give `alpha` times √rank"),
        ("evaluation.answers", "temperature", "leave it out: dialogues are answered greedily"),
    ],
)
def test_what_is_said_about_an_unknown_key(place: str, key: str, expected: str) -> None:
    said = unknown_key(key, list(KNOWN[place].model_fields), place.split(".")[0])
    assert said.startswith(f"unknown key {key!r}; {expected}")

"""Trained cells behind an API that other programs know, and a page to try them: `serve`."""

from __future__ import annotations

from typing import Annotated

import typer

from gptgrid.cli.cells import CellNames, Device, Precision, Weights, load_cell


def serve(
    cells: CellNames,
    host: Annotated[
        str, typer.Option(help="Address. Any but this machine's own needs a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any that is free.")] = 8000,
    token: Annotated[
        str | None,
        typer.Option(envvar="GPTGRID_TOKEN", help="What clients must send as their API key."),
    ] = None,
    weights: Weights = None,
    device: Device = "auto",
    precision: Precision = "fp32",
) -> None:
    r"""Serve trained cells: an API as OpenAI's under /v1, and a page to try them.

    The page shows what the cells say side by side, each token coloured by its
    probability.

    The API has /v1/completions, /v1/chat/completions and /v1/models, also with
    the keys top_k, min_p, repetition_penalty, no_repeat_ngram, beams,
    length_penalty, ignore_eos and truncate_prompt_tokens. A key that is not
    known is refused. A request without `model` is answered by the first cell;
    /v1/models has the names of all. Choice number i of an answer is drawn by
    the seed `seed` + i.

    A prompt that is longer than the context is refused, unless
    truncate_prompt_tokens is -1; of a chat the oldest part is left out, whole
    turns with a fine-tuned cell. Then usage has the number of tokens as
    prompt_tokens_left_out. Chats are read by the chat template of a fine-tuned
    cell; with any other they are one text that goes on.

    Examples:

      gptgrid serve "tales bpe llama s1" "tales bpe gpt2 s1"
      gptgrid serve "tales llama s1" --host 0.0.0.0 --token "$TOKEN"
      curl http://127.0.0.1:8000/v1/completions \
        -H 'Content-Type: application/json' -d '{"prompt": "Once"}'
    """
    from gptgrid.inference.serve.address import listen, url_of

    taken = listen(host, port, token)
    from gptgrid.inference.serve.names import names_of
    from gptgrid.inference.serve.run import serve as run

    found = dict(load_cell(cell, device, weights, precision) for cell in cells)
    loaded = {name: found[path] for name, path in names_of(found).items()}
    typer.echo(f"gptgrid serves {', '.join(loaded)}\npage: {url_of(taken)}/\nAPI:  {url_of(taken)}/v1")
    run(loaded, taken, token)

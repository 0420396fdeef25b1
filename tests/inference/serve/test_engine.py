"""Answers take turns, end when nobody waits for them, and too many are told to come back."""

import asyncio
import itertools
import time

import httpx
import pytest
from serving import served, trained

from gptgrid.inference.serve.engine import Engine, GoneError
from gptgrid.inference.serve.errors import RequestError

LONG = {"model": "one", "prompt": "a", "max_tokens": 30_000, "ignore_eos": True, "stream": True}


def run(work):
    """Run a coroutine with an engine of two answers at once and two that wait."""

    async def inside():
        engine = Engine(2, 2)
        try:
            return await asyncio.wait_for(work(engine), 10)
        finally:
            engine.closing = True

    return asyncio.run(inside())


async def begun(engine):
    while engine.waiting:
        await asyncio.sleep(0.01)


async def all_of(job):
    return [item async for item in job]


def test_answers_take_turns():
    order = []

    def counting(name, count):
        for number in range(count):
            order.append(name)
            yield number

    async def work(engine):
        hold = engine.submit(lambda: (time.sleep(0.2) for _ in range(1)))  # until both are there
        await begun(engine)
        jobs = [engine.submit(lambda name=name: counting(name, 4)) for name in "ab"]
        return [await all_of(job) for job in (hold, *jobs)][1:]

    assert run(work) == [[0, 1, 2, 3]] * 2
    assert sorted(order) == list("aaaabbbb")
    assert order != list("aaaabbbb")


def test_too_many_are_told_to_come_back_and_one_that_was_given_up_leaves_its_place():
    async def work(engine):
        long = [engine.submit(lambda: iter(itertools.repeat(0))) for _ in range(2)]
        await begun(engine)
        waiting = [engine.submit(lambda: iter([1])) for _ in range(2)]
        with pytest.raises(RequestError) as caught:
            engine.submit(lambda: iter([1]))
        assert (caught.value.status, caught.value.headers) == (429, {"Retry-After": "1"})
        waiting[0].cancel()
        other = engine.submit(lambda: iter([2]))
        for job in long:
            job.cancel()
        with pytest.raises(GoneError):
            await all_of(waiting[0])
        return await all_of(waiting[1]), await all_of(other)

    assert run(work) == ([1], [2])


def test_an_answer_that_is_given_up_ends_its_computation():
    closed = []

    def forever():
        try:
            yield from itertools.count()
        finally:
            closed.append(True)

    async def work(engine):
        job = engine.submit(forever)
        async for item in job:
            if item == 3:
                break
        job.cancel()
        while not closed:
            await asyncio.sleep(0.01)

    run(work)


def test_an_error_is_that_of_one_answer():
    async def work(engine):
        bad = engine.submit(lambda: iter([1 / 0]))
        good = engine.submit(lambda: iter([1]))
        with pytest.raises(ZeroDivisionError):
            await all_of(bad)
        return await all_of(good)

    assert run(work) == [1]


def test_an_end_is_told_to_all():
    async def work(engine):
        jobs = [engine.submit(lambda: iter(itertools.repeat(0))) for _ in range(2)]
        await begun(engine)
        jobs.append(engine.submit(lambda: iter([1])))
        engine.closing = True
        for job in jobs:
            with pytest.raises(RequestError, match="ending"):
                await all_of(job)
        with pytest.raises(RequestError) as caught:
            engine.submit(lambda: iter([1]))
        assert caught.value.status == 503

    run(work)


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_goes_away_ends_its_computation(stream):
    with served({"one": trained()}, running=1) as url:
        if stream:
            with httpx.stream("POST", f"{url}/v1/completions", json=LONG, timeout=30) as response:
                next(response.iter_lines())
        else:
            with pytest.raises(httpx.ReadTimeout):
                httpx.post(f"{url}/v1/completions", json={**LONG, "stream": False}, timeout=0.5)
        start = time.monotonic()
        body = {"model": "one", "prompt": "a", "max_tokens": 1}
        assert httpx.post(f"{url}/v1/completions", json=body, timeout=60).status_code == 200
        assert time.monotonic() - start < 3


def test_a_long_answer_lets_short_ones_pass():
    with (
        served({"one": trained()}) as url,
        httpx.stream("POST", f"{url}/v1/completions", json=LONG, timeout=30) as response,
    ):
        next(response.iter_lines())
        body = {"model": "one", "prompt": "a", "max_tokens": 5}
        assert httpx.post(f"{url}/v1/completions", json=body, timeout=3).status_code == 200

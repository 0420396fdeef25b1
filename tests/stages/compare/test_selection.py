"""Verdicts on grids of which the truth is known: how often they are false, and how often they find it.

A seed is lucky on validation and test alike, as both score the same weights; documents are drawn for each.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from gptgrid.stages.compare.contrasts import spread_of, summarize_group
from gptgrid.stages.compare.power import seeds_needed
from gptgrid.stages.compare.selection import Comparison, compare_with_chosen, half_width
from gptgrid.stages.compare.spread import Spread

DOCUMENTS = 200
DRAWS = 1_000
"""Enough for the mean of many grids."""


@dataclass
class World:
    """What grids are drawn from, in units of the standard deviation over seeds."""

    seeds: tuple[int, ...] = (3,) * 10
    effects: tuple[float, ...] = (0.0,) * 10
    choice: float = 0.5
    """Standard error of a group's figure for what is hard for it among the documents."""
    mixed: float = 0.3
    """The same of one seed."""
    skewed: bool = False
    """Lognormal sizes and difficulties of documents."""
    outlier: float = 0.0
    """Added to one seed."""
    spread: tuple[float, ...] = (1.0,)
    """Standard deviations over seeds, in turns."""

    def grids(self, number: int) -> Iterator[list[tuple[np.ndarray, list[np.ndarray]]]]:
        """Yield for validation and test the sizes of documents, and the nats of each group."""
        generator = np.random.default_rng(7)
        for _ in range(number):
            luck = [
                width * generator.normal(size=(count, 1))
                for count, width in zip(self.seeds, itertools.cycle(self.spread), strict=False)
            ]
            luck[generator.integers(len(luck))][0] += self.outlier
            yield [self.split(generator, luck) for _ in range(2)]

    def split(self, generator: np.random.Generator, luck: list[np.ndarray]) -> tuple:
        size = (
            generator.lognormal(7, 1, DOCUMENTS) if self.skewed else generator.uniform(500, 1500, DOCUMENTS)
        )
        hard = generator.normal(1000, 50, DOCUMENTS)
        scale = DOCUMENTS**0.5

        def noise(*shape: int) -> np.ndarray:
            if not self.skewed:
                return generator.normal(size=shape)
            return (generator.lognormal(0, 1, shape) - np.exp(0.5)) / np.sqrt((np.e - 1) * np.e)

        nats = [
            size
            * (
                hard
                + effect
                + own
                + self.choice * scale * noise(DOCUMENTS)
                + self.mixed * scale * noise(len(own), DOCUMENTS)
            )
            for effect, own in zip(self.effects, luck, strict=True)
        ]
        return size, nats


@dataclass
class Found:
    """Shares of the grids of a world."""

    false: float
    """In which any group is called worse that is not."""
    overlap: float
    """In which any is, whose t-interval over seeds does not overlap that of the chosen."""
    power: float
    """In which the last group is called worse, where another was chosen."""
    overlap_power: float
    covered: float
    """Of all intervals, those that hold the true difference."""


def play(world: World, number: int) -> Found:
    """Return how verdicts do in a world."""
    false, overlap, power, overlap_power, covered = [], [], [], [], []
    truth = np.array(world.effects)
    for valid, test in world.grids(number):
        chosen = int(np.argmin([nats.sum(axis=1).mean() for nats in valid[1]]))
        compared = compared_of(valid, test, chosen)
        differences = compared.differences
        others = np.arange(len(truth)) != chosen
        worse = (compared.p < 0.05) & (differences.value > 0)
        apart = apart_by_intervals(*test, chosen)
        like = others & (truth <= truth[chosen])
        false.append((worse & like).any())
        overlap.append((apart & like).any())
        if others[-1]:
            power.append(worse[-1])
            overlap_power.append(apart[-1])
        half = half_width(differences.error, differences.df, compared.single)
        covered.append((np.abs(differences.value - truth + truth[chosen]) <= half)[others].mean())
    return Found(*(float(np.mean(shares)) for shares in (false, overlap, power, overlap_power, covered)))


def compared_of(valid: tuple, test: tuple, chosen: int, draws: int = DRAWS) -> Comparison:
    return compare_with_chosen(
        *(([summarize_group(each, size) for each in nats], size) for size, nats in (valid, test)),
        chosen,
        draws,
    )


def spread_in(split: tuple) -> Spread:
    size, nats = split
    return spread_of([summarize_group(each, size) for each in nats])


def apart_by_intervals(size: np.ndarray, nats: list[np.ndarray], chosen: int) -> np.ndarray:
    """Return whether the interval over seeds of each group lies above that of the chosen one: (groups,)."""
    ratios = [each.sum(axis=1) / size.sum() for each in nats]
    means = np.array([each.mean() for each in ratios])
    half = [
        stats.t.isf(0.025, len(each) - 1) * each.std(ddof=1) / len(each) ** 0.5 if len(each) > 1 else np.inf
        for each in ratios
    ]
    return means - half > means[chosen] + half[chosen]


def test_null_grids_have_a_false_verdict_in_at_most_five_percent_and_intervals_cover():
    found = play(World(), 1_000)
    assert found.false <= 0.05 < found.overlap
    assert 0.93 <= found.covered <= 0.97


def test_where_seeds_alone_decide_the_luck_of_the_chosen_is_allowed_for():
    """Every bit of its luck is in its test figure, too: Holm's correction is wrong in a tenth of these."""
    found = play(World(choice=0.05, mixed=0.05), 1_000)
    assert found.false <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 1_000)
    assert 0.93 <= found.covered <= 0.97


@pytest.mark.parametrize(
    "world",
    [
        World(skewed=True),
        World(skewed=True, choice=2, mixed=1),
        World(seeds=(2, 2, 2, 3, 3, 3, 4, 5, 1, 1)),
        World(outlier=6.0),
        World(seeds=(2,) * 10),
        World(choice=0.0, mixed=1.5),
    ],
    ids=["skewed", "documents decide", "unequal seeds", "outlying seed", "two seeds", "seeds on documents"],
)
def test_other_worlds_stay_near_that(world):
    found = play(world, 300)
    assert found.false <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 300)
    assert 0.93 <= found.covered <= 0.97


def test_recipes_whose_seeds_spread_unlike_have_fewer_false_verdicts_than_with_one_variance():
    """With one pooled variance they are 16 %."""
    world = World(seeds=(3,) * 9, effects=(0.0,) * 9, spread=(1, 1, 3), choice=0.05, mixed=0.05)
    assert play(world, 300).false <= 0.12


def test_many_groups_of_two_seeds_know_their_spread_together():
    """Alone, they would hardly ever tell a difference."""
    found = play(World(seeds=(2,) * 20, effects=(0.0,) * 19 + (3.0,), choice=0.05, mixed=0.05), 200)
    assert found.power > 5 * found.overlap_power and found.power > 0.4
    assert found.false <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 200)


@pytest.mark.parametrize(("choice", "mixed"), [(0.5, 0.3), (0.05, 0.05)])
def test_power_is_far_above_that_of_intervals_that_do_not_overlap(choice, mixed):
    found = play(World(effects=(0.0,) * 9 + (2.0,), choice=choice, mixed=mixed), 500)
    assert found.power >= 1.5 * found.overlap_power
    assert found.false <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 500) and 0.93 <= found.covered <= 0.97


def test_groups_that_are_far_behind_are_no_rivals():
    """Intervals are those of a fixed comparison then, and the last two compare as if they were alone."""
    far = World(seeds=(3,) * 9, effects=(0.0, 2.5, *(20.0,) * 7), choice=0.05, mixed=0.05)
    near = World(seeds=(3,) * 9, effects=(0.0, 2.5, *(0.0,) * 7), choice=0.05, mixed=0.05)
    told = [
        np.mean([compared_of(*grid, 0).p[1] < 0.05 for grid in world.grids(150)]) for world in (far, near)
    ]
    assert told[0] > 1.5 * told[1]


def test_where_seeds_alone_decide_p_is_that_of_the_studentized_range():
    grids = World(choice=0.001, mixed=0.001).grids(20)
    valid, test = next(grid for grid in grids if np.isinf(spread_in(grid[1]).prior_df))
    chosen = int(np.argmin([nats.sum(axis=1).mean() for nats in valid[1]]))
    compared = compared_of(valid, test, chosen, draws=20_000)
    found = compared.differences
    for group in np.delete(np.arange(10), chosen):
        distance = np.sqrt(2) * found.value[group] / found.error[group]
        textbook = stats.studentized_range.sf(distance, 10, 20)
        assert compared.p[group] == pytest.approx(min(1, textbook), abs=0.02)


def test_where_documents_alone_decide_p_is_that_of_comparisons_with_a_fixed_group():
    """One seed each: what chose has no part in the test figures."""
    [(valid, test)] = World(seeds=(1,) * 5, effects=(0.0,) * 5, choice=1.0, mixed=0.0).grids(1)
    compared = compared_of(valid, test, 0, draws=20_000)
    found = compared.differences
    generator = np.random.default_rng(3)
    draws = generator.normal(size=(200_000, 5))
    largest = np.abs(draws[:, 1:] - draws[:, :1]).max(axis=1) / np.sqrt(2)
    for group in range(1, 5):
        distance = abs(found.value[group] / found.error[group])
        drawn = (largest >= distance).mean()
        assert compared.p[group] == pytest.approx(min(1, drawn), abs=0.03)


def test_the_same_scores_give_the_same_bits():
    [(valid, test)] = World().grids(1)
    first, second = (compared_of(valid, test, 0) for _ in range(2))
    assert first.p.tobytes() == second.p.tobytes() and first.single == second.single


def test_as_many_seeds_as_are_needed_tell_the_difference_in_four_of_five_grids():
    effects = (0.0, 1.5, 30.0)
    needed = []
    for valid, test in World(seeds=(3,) * 3, effects=effects, mixed=0.05, choice=0.05).grids(100):
        compared = compared_of(valid, test, 0)
        spread = spread_in(test)
        compared.differences.value[1] = 1.5
        needed.append(seeds_needed(compared, spread, 0)[1])
    count = int(np.nanmedian(needed))
    grids = World(seeds=(count,) * 3, effects=effects, mixed=0.05, choice=0.05).grids(200)
    assert np.mean([compared_of(*grid, 0).p[1] < 0.05 for grid in grids]) == pytest.approx(0.8, abs=0.12)


def test_no_number_of_seeds_tells_what_documents_hide():
    [(valid, test)] = World(seeds=(3, 3), effects=(0.0, 0.01), choice=5.0).grids(1)
    compared = compared_of(valid, test, 0)
    compared.differences.value[1] = 0.1
    spread = spread_in(test)
    assert np.isnan(seeds_needed(compared, spread, 0)[1])


def test_the_same_recipe_under_two_names_leaves_other_verdicts_alone():
    [(valid, test)] = World(seeds=(1,) * 4, effects=(0.0, 2.0, 2.0, 2.0), choice=0.5).grids(1)
    before = compared_of(valid, test, 0, draws=10_000)
    twice = [(size, [*nats, nats[0]]) for size, nats in (valid, test)]
    after = compared_of(*twice, 0, draws=10_000)
    assert after.p[4] == 1.0
    assert after.p[1:4] == pytest.approx(before.p[1:4], abs=0.02)

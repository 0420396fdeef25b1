"""A law must be found again in losses that follow it, and be as sure as its interval says."""

import numpy as np
import pytest

from gptgrid.stages.compare.scaling_law import HUBER, Law, bootstrap, fit

SIZES, BUDGETS = np.geomspace(1e5, 1e7, 5), np.geomspace(1e6, 3e7, 3)
GRID = np.array([(size, budget) for size in SIZES for budget in BUDGETS])


class Surface:
    """Losses that follow a law, drawn at random."""

    def __init__(self, random: np.random.Generator, scales: np.ndarray) -> None:
        self.floor, terms = random.uniform(0.8, 2.5), scales.shape[1]
        self.exponents = random.uniform(0.2, 0.5, terms)
        middle = np.exp(np.log(scales).mean(axis=0))
        self.coefficients = random.uniform(0.3, 1.0, terms) * middle**self.exponents

    def losses(self, scales: np.ndarray) -> np.ndarray:
        return self.floor + (self.coefficients / scales**self.exponents).sum(axis=1)


@pytest.mark.parametrize("scales", [GRID, GRID[:, :1], GRID[:, 1:]], ids=["both", "sizes", "budgets"])
@pytest.mark.parametrize("huber", [None, HUBER])
def test_a_law_is_recovered_from_losses_without_noise(scales, huber):
    random = np.random.default_rng(1)
    for _ in range(10):
        surface = Surface(random, scales)
        law = fit(scales, surface.losses(scales), huber)
        assert law.floor == pytest.approx(surface.floor, rel=0.01)
        assert law.coefficients == pytest.approx(surface.coefficients, rel=0.01)
        assert law.exponents == pytest.approx(surface.exponents, rel=0.01)
        assert law.predict(10 * scales) == pytest.approx(surface.losses(10 * scales), rel=1e-4)


def test_the_law_of_chinchilla_is_recovered():
    """E, A, B, α, β of Hoffmann et al. 2022."""
    scales = np.array([(n, d) for n in np.geomspace(7e7, 1.6e10, 9) for d in np.geomspace(5e9, 5e11, 5)])
    losses = 1.69 + 406.4 / scales[:, 0] ** 0.34 + 410.7 / scales[:, 1] ** 0.28
    law = fit(scales, losses)
    assert [law.floor, *law.coefficients, *law.exponents] == pytest.approx(
        [1.69, 406.4, 410.7, 0.34, 0.28], rel=1e-3
    )


def test_what_is_beyond_all_numbers_is_the_largest():
    """An exponent that the losses do not tell takes a coefficient there."""
    law = Law(np.array([[800.0, 0.0, 60.0], [0.5, 0.0, 0.3]]), np.array([15.0]))
    with np.errstate(all="raise"):
        assert np.isfinite(law.floor).all() and np.isfinite(law.coefficients).all()
    assert law.coefficients[1] == pytest.approx(np.exp(4.5)) and law.floor[1] == pytest.approx(np.exp(0.5))


def test_intervals_cover_what_is_true():
    """Five sizes at three budgets, 0.5 % of noise: the smallest study that has a law of both."""
    random, covered = np.random.default_rng(5), []
    far = 10 * GRID.max(axis=0)[None]
    for _ in range(500):
        surface = Surface(random, GRID)
        losses = surface.losses(GRID) * np.exp(0.005 * random.standard_normal(len(GRID)))
        laws = bootstrap(fit(GRID, losses), GRID, losses, replicates=100)
        found = np.column_stack([laws.floor, laws.exponents, laws.predict(far)])
        low, high = np.percentile(found, (2.5, 97.5), axis=0)
        true = [surface.floor, *surface.exponents, surface.losses(far)[0]]
        covered.append((low <= true) & (true <= high))
    shares = np.mean(covered, axis=0)
    assert (shares >= 0.90).all() and (shares <= 0.98).all(), shares


def test_an_interval_is_not_a_point_where_no_floor_is_seen():
    """From a floor of 0 a search in logarithms would never come back."""
    scales = SIZES[:, None]
    losses = 1 + 300 / SIZES**0.4
    losses[-1] = 1.1  # so low that all five show no floor; the other four do
    law = fit(scales, losses)
    assert law.floor < 0.01 * losses.min()
    assert np.percentile(bootstrap(law, scales, losses).floor, 97.5) > 0.9


def test_one_outlier_moves_the_law_less_with_huber():
    surface = Surface(np.random.default_rng(3), GRID)
    losses = surface.losses(GRID) * np.exp(0.0005 * np.random.default_rng(4).standard_normal(len(GRID)))
    losses[4] *= 1.1
    plain, robust = (
        np.abs(fit(GRID, losses, huber).exponents - surface.exponents) for huber in (None, HUBER)
    )
    assert robust.max() < 0.02 < plain.max()


def test_the_same_losses_give_the_same_intervals():
    losses = Surface(np.random.default_rng(6), GRID).losses(GRID) * np.linspace(0.99, 1.01, len(GRID))
    law = fit(GRID, losses)
    assert (bootstrap(law, GRID, losses).values == bootstrap(law, GRID, losses).values).all()

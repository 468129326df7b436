"""Interleaving and clicks with simulated users, whose seeds are fixed."""

import numpy as np
import pytest

from hybrid_search.core import Team
from hybrid_search.relevance.click_model import Shown, fit
from hybrid_search.search.interleaving import (
    Interleaving,
    click_winner,
    sign_test,
    team_draft,
    verdict,
)

LOOKED_AT = (1.0, 0.7, 0.5, 0.4, 0.32, 0.27, 0.23, 0.2, 0.17, 0.15)
"""Probability that a user looks at each rank."""
CLICKED = {0: 0.05, 1: 0.3, 2: 0.55, 3: 0.85}
"""Probability of a click on a hit that is looked at, by grade."""


def grades_of(query: int) -> dict[str, int]:
    chance = np.random.default_rng(query)
    return {
        f"d{at}": int(grade)
        for at, grade in enumerate(chance.choice(4, 30, p=[0.6, 0.2, 0.1, 0.1]))
    }


def ranked(grades: dict[str, int], noise: float, chance: np.random.Generator) -> list[str]:
    """Return a ranking by grade plus noise; less noise gives a better ranking."""
    values = {hit: grade + chance.normal(0.0, noise) for hit, grade in grades.items()}
    return sorted(values, key=lambda hit: -values[hit])


def clicks(hits: tuple[str, ...], grades: dict[str, int], chance: np.random.Generator) -> set[str]:
    return {
        hit
        for hit, looked in zip(hits, LOOKED_AT, strict=False)
        if chance.random() < looked * CLICKED[grades[hit]]
    }


def experiment(noise_a: float, noise_b: float, searches: int, seed: int) -> Team | None:
    chance, outcomes = np.random.default_rng(seed), []
    for query in range(searches):
        grades = grades_of(query)
        a, b = ranked(grades, noise_a, chance), ranked(grades, noise_b, chance)
        mixed = team_draft(a, b, 10, chance)
        outcomes.append(click_winner(mixed.hits, mixed.teams, clicks(mixed.hits, grades, chance)))
    return verdict(outcomes).winner


def test_better_of_two_rankings_is_found() -> None:
    found = [experiment(0.6, 1.8, 400, seed) for seed in range(20)]
    # Power of at least .9 at 400 searches, and never the wrong winner.
    assert found.count("a") >= 18
    assert "b" not in found


def test_equal_rankings_have_no_winner() -> None:
    found = [experiment(1.0, 1.0, 400, seed) for seed in range(40)]
    # At a level of .05, six or more errors in forty occur once in seventy runs.
    assert found.count(None) >= 35


def test_team_draft_alternates() -> None:
    chance = np.random.default_rng(4)
    for _ in range(50):
        mixed = team_draft(["a1", "a2", "c"], ["b1", "c", "b2"], 10, chance)
        assert sorted(mixed.hits) == ["a1", "a2", "b1", "b2", "c"]
        assert set(mixed.teams[:2]) == {"a", "b"}
        own = [hit for hit, team in zip(mixed.hits, mixed.teams, strict=True) if team == "a"]
        assert own == [hit for hit in ("a1", "a2", "c") if hit in own]
    assert team_draft(["x"], ["x"], 5, chance).hits == ("x",)
    assert team_draft([], [], 5, chance) == Interleaving((), ())
    short = team_draft(list("abcdef"), list("ghijkl"), 3, chance)
    assert len(short.hits) == len(short.teams) == 3


def test_clicks_are_credited_to_the_right_team() -> None:
    hits = ("x", "y", "z")
    teams: tuple[Team, ...] = ("a", "b", "a")
    assert click_winner(hits, teams, {"x"}) == "a"
    assert click_winner(hits, teams, {"y"}) == "b"
    assert click_winner(hits, teams, {"x", "y"}) is None
    assert click_winner(hits, teams, set()) is None


def test_the_sign_test_is_exact() -> None:
    assert sign_test(9, 1) == pytest.approx(0.0215, abs=1e-4)
    assert sign_test(5, 5) == 1.0
    assert sign_test(0, 0) == 1.0
    assert verdict(["a", None, "b"]).ties == 1


def test_click_model_removes_position_bias() -> None:
    chance, searches = np.random.default_rng(8), []
    truth: dict[tuple[str, str], int] = {}
    for query in range(40):
        of_query = grades_of(query)
        truth |= {(str(query), hit): grade for hit, grade in of_query.items()}
        # A ranker that puts good ads low: raw click rates would invert many grades.
        fixed = sorted(of_query, key=lambda hit: (of_query[hit], hit))[-14:]
        for _ in range(150):
            order = fixed[:10] if chance.random() < 0.6 else list(chance.permutation(fixed))[:10]
            hits = tuple(map(str, order))
            shown = clicks(hits, of_query, chance)
            searches.append(Shown(str(query), hits, frozenset(shown)))
    model = fit(searches)
    looked = np.array(model.looked_at)
    assert looked == pytest.approx(LOOKED_AT, abs=0.08)
    well = [pair for pair, count in model.looks.items() if count >= 20]
    found = np.array([model.attraction[pair] for pair in well])
    real = np.array([CLICKED[truth[pair]] for pair in well])
    assert np.abs(found - real).mean() < 0.08
    grades = model.grades(least=20)
    assert set(grades) == set(well)
    best = [truth[pair] for pair, grade in grades.items() if grade == 3]
    worst = [truth[pair] for pair, grade in grades.items() if grade == 0]
    assert np.mean(best) > np.mean(worst) + 1.5

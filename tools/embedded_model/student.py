"""The text tower, distilled from the teacher's vectors and class scores."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from corpus import Corpus
from open_clip.tokenizer import SimpleTokenizer
from space import MEANING, Rows, Space, Teacher, unit
from torch.nn import functional
from tqdm import tqdm

_BATCH = 512
_GROUP = 16
"""Batches drawn together and sorted by length, to reduce padding."""
_HELD_OUT = 1500
_RATES = {"words": 1.5e-3, "layers": 7e-4}
_CLASS_LOSS = 20.0
"""Weight of the loss on scores against class prototypes."""


class Student:
    """The text tower of an open_clip model during training."""

    def __init__(self, model: torch.nn.Module, tokenizer: SimpleTokenizer) -> None:
        self._model, self._tokenizer = model, tokenizer
        for parameter in model.visual.parameters():
            parameter.requires_grad_(False)

    def start_from(self, teacher: Teacher, space: Space) -> None:
        """Initialise tokens with the teacher's vectors, and layers close to the identity."""
        model, width = self._model, MEANING
        names = [self._spelled(token) for token in range(self._tokenizer.vocab_size)]
        rows = unit(teacher.encode([n or " " for n in names], "tokens") - space.centre)
        rows = torch.from_numpy(rows @ space.basis)
        rows[[place for place, name in enumerate(names) if not name]] = 0
        with torch.no_grad():
            model.token_embedding.weight.copy_(rows + 0.005 * torch.randn_like(rows))
            model.positional_embedding.mul_(0.2)
            model.text_projection.zero_()[:, :width].copy_(torch.eye(width))
            for place, block in enumerate(model.transformer.resblocks):
                block.attn.in_proj_weight[: 2 * width].mul_(0.5)
                block.attn.in_proj_bias.zero_()
                block.attn.out_proj.weight.mul_(0.3)
                block.mlp.c_proj.weight.mul_(0.3)
                if place == 0:  # initially, a text is the mean of its words
                    block.attn.in_proj_weight[2 * width :].copy_(torch.eye(width))
                    block.attn.out_proj.weight.copy_(0.3 * torch.eye(width))

    def learn(self, corpus: Corpus, space: Space, steps: int) -> float:
        """Train for ``steps`` batches; return the mean cosine to the teacher on held-out texts."""
        tokens = [self._tokens(text) for text in corpus.texts]
        chance = np.random.default_rng(0)
        weights = np.array(corpus.weights)
        held_out = chance.choice(np.flatnonzero(weights == 1.0), _HELD_OUT, replace=False)
        weights[held_out] = 0
        lengths = np.array([len(one) for one in tokens])
        targets, prototypes = torch.from_numpy(space.targets), torch.from_numpy(space.prototypes)
        optimizer = self._optimizer()
        bar = tqdm(total=steps, desc="text tower")
        for step, chosen in enumerate(_batches(lengths, weights / weights.sum(), steps, chance)):
            self._rate(optimizer, step, steps)
            found = self._encode([tokens[i] for i in chosen])
            wanted = targets[chosen]
            loss = (1 - (found * wanted).sum(dim=1)).mean()
            loss = loss + _CLASS_LOSS * ((found - wanted) @ prototypes.T).square().mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self._layers(), 1.0)
            optimizer.step()
            bar.update()
            if step % 100 == 99:
                bar.set_postfix(loss=f"{loss.item():.4f}")
        bar.close()
        return self._cosine([tokens[i] for i in held_out], targets[held_out])

    def _cosine(self, tokens: Sequence[Sequence[int]], targets: torch.Tensor) -> float:
        with torch.inference_mode():
            parts = [self._encode(tokens[at : at + 256]) for at in range(0, len(tokens), 256)]
            return float((torch.cat(parts) * targets).sum(dim=1).mean())

    def _encode(self, tokens: Sequence[Sequence[int]]) -> torch.Tensor:
        """Encode as the model does, padded to the longest text, semantic components only."""
        model, longest = self._model, max(map(len, tokens))
        padded = torch.zeros(len(tokens), longest, dtype=torch.long)
        for row, one in enumerate(tokens):
            padded[row, : len(one)] = torch.tensor(one)
        hidden = model.token_embedding(padded) + model.positional_embedding[:longest]
        hidden = model.transformer(hidden, attn_mask=model.attn_mask[:longest, :longest])
        # The end token has the highest id.
        last = model.ln_final(hidden[torch.arange(len(tokens)), padded.argmax(dim=-1)])
        return functional.normalize(last @ model.text_projection[:, :MEANING], dim=-1)

    def _tokens(self, text: str) -> list[int]:
        start, end = self._tokenizer.sot_token_id, self._tokenizer.eot_token_id
        most = self._tokenizer.context_length - 2
        return [start, *self._tokenizer.encode(text)[:most], end]

    def _spelled(self, token: int) -> str:
        """Return the text of a token; empty if it is part of a character."""
        try:
            text = self._tokenizer.decode([token]).strip()
        except KeyError:
            return ""
        return "" if "�" in text else text

    def _layers(self) -> list[torch.nn.Parameter]:
        words = self._model.token_embedding.weight
        return [
            p
            for name, p in self._model.named_parameters()
            if p.requires_grad and p is not words and name != "logit_scale"
        ]

    def _optimizer(self) -> torch.optim.Optimizer:
        words = {"params": [self._model.token_embedding.weight], "name": "words"}
        layers = {"params": self._layers(), "name": "layers"}
        return torch.optim.AdamW([words, layers], betas=(0.9, 0.98), weight_decay=0.0, fused=True)

    @staticmethod
    def _rate(optimizer: torch.optim.Optimizer, step: int, steps: int) -> None:
        """Set the learning rate: warm-up, then cosine decay to a thirtieth."""
        share = min(1.0, (step + 1) / 60) * (
            0.03 + 0.97 * (1 + math.cos(math.pi * step / steps)) / 2
        )
        for group in optimizer.param_groups:
            group["lr"] = _RATES[group["name"]] * share


def _batches(
    lengths: np.ndarray, shares: Rows, steps: int, chance: np.random.Generator
) -> Iterator[np.ndarray]:
    for first in range(0, steps, _GROUP):
        pool = chance.choice(len(lengths), size=_BATCH * _GROUP, p=shares)
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        for place in chance.permutation(_GROUP)[: steps - first]:
            yield pool[place * _BATCH : (place + 1) * _BATCH]

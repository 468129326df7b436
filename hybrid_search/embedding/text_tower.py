"""CLIP's text transformer, for configurations without extensions.

The operations and their order are those of open_clip, so the same weights give bit-identical
vectors.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn


class TextTower(nn.Module):
    """A text transformer whose parameters are named as in open_clip's ``CLIP``."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """``config`` is the ``model_cfg`` of an open_clip configuration."""
        super().__init__()
        text = config["text_cfg"]
        length, width = text["context_length"], text["width"]
        self.token_embedding = nn.Embedding(text["vocab_size"], width)
        self.positional_embedding = nn.Parameter(torch.empty(length, width))
        hidden = int(width * text["mlp_ratio"])
        blocks = [_Block(width, text["heads"], hidden) for _ in range(text["layers"])]
        self.transformer = nn.ModuleDict({"resblocks": nn.ModuleList(blocks)})
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.empty(width, config["embed_dim"]))

    def encode_text(self, tokens: torch.Tensor) -> torch.Tensor:
        """Vectors ``(n, embed_dim)`` of token ids ``(n, context_length)``, not normalised."""
        rows = self.token_embedding(tokens) + self.positional_embedding
        mask = torch.full((rows.shape[1], rows.shape[1]), float("-inf")).triu_(1)
        for block in self.transformer["resblocks"].children():
            rows = block(rows, mask)
        # The end token has the highest id. The vector of the text is taken at its position.
        last = self.ln_final(rows)[torch.arange(len(rows)), tokens.argmax(dim=-1)]
        projected: torch.Tensor = last @ self.text_projection
        return projected


class _Block(nn.Module):
    """A residual block of attention and a multi-layer perceptron."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_2 = nn.LayerNorm(width)
        layers = {
            "c_fc": nn.Linear(width, hidden),
            "gelu": nn.GELU(),
            "c_proj": nn.Linear(hidden, width),
        }
        self.mlp = nn.Sequential(OrderedDict(layers))

    def forward(self, rows: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        normed = self.ln_1(rows)
        attended = self.attn(normed, normed, normed, need_weights=False, attn_mask=mask)[0]
        rows = rows + attended
        mapped: torch.Tensor = self.mlp(self.ln_2(rows))
        return rows + mapped

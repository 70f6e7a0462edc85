"""Each type of transformers classifier that is read, and its configuration."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import CONFIG_MAPPING, AutoModelForImageClassification

from straylight.models.load import load_model
from straylight.models.options import ModelOptions
from straylight.models.readers.transformers_config import FIELDS, METADATA, TYPES, is_levit_step

SIDE = 64
VIT = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "patch_size": 16}
STAGES = {"hidden_sizes": [8, 16], "depths": [1, 1]}
FOUR = {
    "hidden_sizes": [8, 8, 16, 16],
    "depths": [1, 1, 1, 1],
    "num_attention_heads": [1, 1, 1, 1],
}
SWIN = {
    "embed_dim": 8,
    "depths": [1, 1],
    "num_heads": [1, 2],
    "window_size": 2,
    "patch_size": 4,
}
SMALL: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("vit", "deit", "vit_msn"), VIT | {"intermediate_size": 16}),
    **dict.fromkeys(("beit", "data2vec-vision"), VIT | {"intermediate_size": 16}),
    **dict.fromkeys(("dinov2", "dinov2_with_registers"), VIT),
    "swin": SWIN,
    "swinv2": SWIN | {"pretrained_window_sizes": [0, 0]},
    **dict.fromkeys(("convnext", "convnextv2"), STAGES | {"num_stages": 2}),
    "resnet": STAGES | {"embedding_size": 8},
    "regnet": STAGES | {"embedding_size": 8, "groups_width": 8},
    "bit": STAGES | {"embedding_size": 8, "num_groups": 2},
    "efficientnet": {"width_coefficient": 0.25, "depth_coefficient": 0.2, "hidden_dim": 320},
    "mobilenet_v1": {"depth_multiplier": 0.25},
    "mobilenet_v2": {"depth_multiplier": 0.25},
    "mobilevit": {"hidden_sizes": [8, 8, 8], "neck_hidden_sizes": [8, 8, 8, 8, 8, 8, 8]},
    "mobilevitv2": {"width_multiplier": 0.25, "base_attn_unit_dims": [32, 32, 32]},
    "levit": {"hidden_sizes": [16, 16, 16], "depths": [1, 1, 1], "num_attention_heads": [1, 1, 1]},
    "pvt": FOUR,
    "segformer": FOUR | {"decoder_hidden_size": 8},
    "poolformer": {key: FOUR[key] for key in ("hidden_sizes", "depths")},
    "focalnet": STAGES | {"embed_dim": 8, "focal_levels": [1, 1], "focal_windows": [3, 3]},
    "cvt": {"embed_dim": [8, 8, 8], "num_heads": [1, 1, 1], "depth": [1, 2, 3]},
}


def assert_read(network: Any, folder: Path) -> None:  # noqa: ANN401 (of transformers)
    """Save a network as its library does, load the folder, and compare the logits."""
    network.eval().save_pretrained(folder)
    options = ModelOptions(head="logits", size=SIDE, mean=(0.0,) * 3, std=(1.0,) * 3)
    found = load_model(folder, options)
    images = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = network(images.mul(255).round().div(255)).logits
        got = found(images.mul(255).round().div(255))
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


def config_of(kind: str) -> Any:  # noqa: ANN401
    settings = dict(SMALL[kind])
    if hasattr(CONFIG_MAPPING[kind](), "image_size"):
        settings["image_size"] = SIDE
    return CONFIG_MAPPING[kind](**settings, id2label={0: "a", 1: "b", 2: "c"}, num_labels=3)


def test_all_kinds_are_here() -> None:
    assert set(SMALL) == TYPES


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_a_folder_of_each_kind_is_read(tmp_path: Path, kind: str) -> None:
    torch.manual_seed(0)
    settings = config_of(kind)
    kinds = AutoModelForImageClassification._model_mapping[type(settings)]
    for number, made in enumerate(kinds if isinstance(kinds, tuple) else (kinds,)):
        assert_read(made(settings), tmp_path / str(number))


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_what_each_kind_writes_by_itself_is_known(kind: str) -> None:
    written = json.loads(CONFIG_MAPPING[kind]().to_json_string(use_diff=False))
    assert {key for key in written if key not in METADATA and key not in FIELDS} == set()


def test_steps_of_a_levit() -> None:
    assert all(map(is_levit_step, [["Subsample", 16, 8, 4, 2, 2], [""]]))
    assert not any(map(is_levit_step, [[], "", ["", 1], ["Other", 16, 8, 4, 2, 2], ["Subsample"]]))

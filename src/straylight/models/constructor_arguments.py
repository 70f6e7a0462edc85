"""Arguments that a file may give to a library's constructor: a list of names, types and sizes.

What is not listed does not get through, whatever a library may do with it: read a file, ask the network,
unpickle, import.
"""

from collections.abc import Callable, Mapping
from typing import Any

from straylight.core.errors import InputError, listed, quoted

Check = Callable[[object], bool]
DEEPEST, WIDEST, SIDE, LONGEST = 200, 2**14, 2**12, 64  # layers, channels, pixels, items
ACTIVATIONS = (
    *(
        "relu",
        "relu6",
        "leaky_relu",
        "prelu",
        "elu",
        "celu",
        "selu",
        "gelu",
        "gelu_new",
        "gelu_tanh",
        "gelu_fast",
    ),
    *(
        "gelu_pytorch_tanh",
        "quick_gelu",
        "silu",
        "swish",
        "mish",
        "sigmoid",
        "tanh",
        "identity",
        "linear",
    ),
    *("hard_sigmoid", "hard_swish", "hardswish", "hard_mish"),
)
NORMS = (
    *(
        "batchnorm",
        "batchnorm2d",
        "batchnorm1d",
        "groupnorm",
        "groupnorm1",
        "layernorm",
        "layernorm2d",
    ),
    *("layer_norm", "batch_norm", "rmsnorm", "rmsnorm2d", "frozenbatchnorm2d"),
)


def whole(low: int, high: int) -> Check:
    """Return a check for whole numbers."""
    return lambda v: isinstance(v, int) and not isinstance(v, bool) and low <= v <= high


def number(low: int | float, high: int | float) -> Check:
    """Return a check for numbers."""
    return lambda v: isinstance(v, int | float) and not isinstance(v, bool) and low <= v <= high


def word(*words: str) -> Check:
    """Return a check for one of some words."""
    return lambda v: isinstance(v, str) and v in words


def some(check: Check) -> Check:
    """Return a check for one value, or a list of them."""
    return lambda v: check(v) or (isinstance(v, list) and len(v) <= LONGEST and all(map(check, v)))


def counts(value: object) -> bool:
    """Return whether a value is a number of layers, or one for each stage."""
    stages = value if isinstance(value, list) else [value]
    return len(stages) <= LONGEST and all(map(whole(1, DEEPEST), stages)) and sum(stages) <= DEEPEST


def flag(value: object) -> bool:
    """Return whether a value is true or false."""
    return isinstance(value, bool)


WIDTH, RATIO = some(whole(1, WIDEST)), some(number(0, 64))
SMALL, RATE, ACTIVATION = some(whole(0, 64)), some(number(0, 1)), word(*ACTIVATIONS)
LAYER_ARGUMENTS: dict[str, Check] = {
    **dict.fromkeys(("depth", "depths", "layers"), counts),
    **dict.fromkeys(
        ("embed_dim", "embed_dims", "num_heads", "stem_width", "stem_size", "dims", "channels"),
        WIDTH,
    ),
    **dict.fromkeys(("base_width", "width_per_group", "num_features", "head_hidden_size"), WIDTH),
    **dict.fromkeys(
        ("cardinality", "groups", "growth_rate", "num_init_features", "bn_size"), WIDTH
    ),
    **dict.fromkeys(("img_size", "patch_size"), some(whole(1, SIDE))),
    "window_size": SMALL,
    "in_chans": whole(1, 16),
    "reg_tokens": whole(0, 64),
    "output_stride": whole(1, 32),
    **dict.fromkeys(("drop_rate", "drop_path_rate", "attn_drop_rate", "proj_drop_rate"), RATE),
    **dict.fromkeys(("pos_drop_rate", "patch_drop_rate", "drop_block_rate", "dropout"), RATE),
    **dict.fromkeys(("stochastic_depth_prob", "attention_dropout", "bn_momentum", "bn_eps"), RATE),
    **dict.fromkeys(("init_values", "ls_init_value", "layer_scale", "eps"), some(number(0, 10))),
    **dict.fromkeys(("mlp_ratio", "width_mult", "channel_multiplier", "depth_multiplier"), RATIO),
    **dict.fromkeys(("qkv_bias", "class_token", "no_embed_class", "pre_norm", "fc_norm"), flag),
    **dict.fromkeys(("final_norm", "qk_norm", "dynamic_img_size", "dynamic_img_pad"), flag),
    **dict.fromkeys(("strict_img_size", "avg_down", "transform_input", "zero_init_residual"), flag),
    **dict.fromkeys(("always_partition", "use_mlp_norm", "conv_mlp", "conv_bias", "use_grn"), flag),
    **dict.fromkeys(("deep_stem", "init_weights", "batch_norm", "aux_logits"), flag),
    "stem_type": word("", "deep", "deep_tiered", "patch", "overlap"),
    "global_pool": word("", "avg", "max", "avgmax", "catavgmax", "token", "map", "fast", "avgc"),
    "pad_type": word("", "same", "valid"),
    "act_layer": ACTIVATION,
    "norm_layer": word(*NORMS),
}


def misfits(given: Mapping[str, Any], known: Mapping[str, Check]) -> list[str]:
    """Return the names that are not listed, and those whose values are not allowed."""
    return sorted(
        str(name)
        for name, value in given.items()
        if name not in known or not (value is None or known[name](value))
    )


def check_arguments(what: str, given: Mapping[str, Any], known: Mapping[str, Check]) -> None:
    """Raise if an argument is not listed, or of another type or size.

    Raises:
        InputError: With the names of all that are wrong.
    """
    if found := misfits(given, known):
        raise InputError(
            f"{quoted(what)} cannot be built with {listed(found)}: a file may give only arguments that are "
            "listed as harmless, of the usual types and sizes; for others give python:MODULE:FUNCTION."
        )

"""Allow-list of constructor arguments that a model file may set: names, types and sizes.

Anything else is refused: a library might use it to read a file, open a connection, unpickle or import.
"""

from collections.abc import Callable, Mapping
from typing import Any

from straylight.core.errors import InputError, join_names, quote_text

ValueCheck = Callable[[object], bool]
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


def integer_between(low: int, high: int) -> ValueCheck:
    """Return a check for integers in a range."""
    return lambda v: isinstance(v, int) and not isinstance(v, bool) and low <= v <= high


def number_between(low: int | float, high: int | float) -> ValueCheck:
    """Return a check for numbers in a range."""
    return lambda v: isinstance(v, int | float) and not isinstance(v, bool) and low <= v <= high


def choice_of(*words: str) -> ValueCheck:
    """Return a check for one of several words."""
    return lambda v: isinstance(v, str) and v in words


def scalar_or_list(check: ValueCheck) -> ValueCheck:
    """Return a check for one value or a list of values."""
    return lambda v: check(v) or (isinstance(v, list) and len(v) <= LONGEST and all(map(check, v)))


def is_layer_count(value: object) -> bool:
    """Return whether a value is a number of layers, or a list with one number per stage."""
    stages = value if isinstance(value, list) else [value]
    return (
        len(stages) <= LONGEST
        and all(map(integer_between(1, DEEPEST), stages))
        and sum(stages) <= DEEPEST
    )


def is_flag(value: object) -> bool:
    """Return whether a value is a boolean."""
    return isinstance(value, bool)


WIDTH, RATIO = scalar_or_list(integer_between(1, WIDEST)), scalar_or_list(number_between(0, 64))
SMALL, RATE, ACTIVATION = (
    scalar_or_list(integer_between(0, 64)),
    scalar_or_list(number_between(0, 1)),
    choice_of(*ACTIVATIONS),
)
LAYER_ARGUMENTS: dict[str, ValueCheck] = {
    **dict.fromkeys(("depth", "depths", "layers"), is_layer_count),
    **dict.fromkeys(
        ("embed_dim", "embed_dims", "num_heads", "stem_width", "stem_size", "dims", "channels"),
        WIDTH,
    ),
    **dict.fromkeys(("base_width", "width_per_group", "num_features", "head_hidden_size"), WIDTH),
    **dict.fromkeys(
        ("cardinality", "groups", "growth_rate", "num_init_features", "bn_size"), WIDTH
    ),
    **dict.fromkeys(("img_size", "patch_size"), scalar_or_list(integer_between(1, SIDE))),
    "window_size": SMALL,
    "in_chans": integer_between(1, 16),
    "reg_tokens": integer_between(0, 64),
    "output_stride": integer_between(1, 32),
    **dict.fromkeys(("drop_rate", "drop_path_rate", "attn_drop_rate", "proj_drop_rate"), RATE),
    **dict.fromkeys(("pos_drop_rate", "patch_drop_rate", "drop_block_rate", "dropout"), RATE),
    **dict.fromkeys(("stochastic_depth_prob", "attention_dropout", "bn_momentum", "bn_eps"), RATE),
    **dict.fromkeys(
        ("init_values", "ls_init_value", "layer_scale", "eps"),
        scalar_or_list(number_between(0, 10)),
    ),
    **dict.fromkeys(("mlp_ratio", "width_mult", "channel_multiplier", "depth_multiplier"), RATIO),
    **dict.fromkeys(("qkv_bias", "class_token", "no_embed_class", "pre_norm", "fc_norm"), is_flag),
    **dict.fromkeys(("final_norm", "qk_norm", "dynamic_img_size", "dynamic_img_pad"), is_flag),
    **dict.fromkeys(
        ("strict_img_size", "avg_down", "transform_input", "zero_init_residual"), is_flag
    ),
    **dict.fromkeys(
        ("always_partition", "use_mlp_norm", "conv_mlp", "conv_bias", "use_grn"), is_flag
    ),
    **dict.fromkeys(("deep_stem", "init_weights", "batch_norm", "aux_logits"), is_flag),
    "stem_type": choice_of("", "deep", "deep_tiered", "patch", "overlap"),
    "global_pool": choice_of(
        "", "avg", "max", "avgmax", "catavgmax", "token", "map", "fast", "avgc"
    ),
    "pad_type": choice_of("", "same", "valid"),
    "act_layer": ACTIVATION,
    "norm_layer": choice_of(*NORMS),
}


def _invalid_arguments(given: Mapping[str, Any], known: Mapping[str, ValueCheck]) -> list[str]:
    """Return the names of arguments that are not listed or have values that are not allowed."""
    return sorted(
        str(name)
        for name, value in given.items()
        if name not in known or not (value is None or known[name](value))
    )


def check_arguments(what: str, given: Mapping[str, Any], known: Mapping[str, ValueCheck]) -> None:
    """Check arguments against an allow-list.

    Raises:
        InputError: If one is not listed or has another type or size; names all such arguments.
    """
    if found := _invalid_arguments(given, known):
        raise InputError(
            f"{quote_text(what)} cannot be built with {join_names(found)}: a file may set only arguments "
            "that are listed as harmless, of the usual types and sizes; for others give "
            "python:MODULE:FUNCTION."
        )

"""Allow-list of `config.json` fields of `transformers` classifiers, with their types and sizes."""

from straylight.models.constructor_arguments import (
    ACTIVATION,
    RATE,
    RATIO,
    SIDE,
    SMALL,
    WIDTH,
    ValueCheck,
    choice_of,
    integer_between,
    is_flag,
    is_layer_count,
    number_between,
    scalar_or_list,
)

# Image classifiers that are built from these fields only.
TYPES = {
    *(
        "vit",
        "deit",
        "beit",
        "data2vec-vision",
        "swin",
        "swinv2",
        "convnext",
        "convnextv2",
        "resnet",
        "regnet",
    ),
    *("efficientnet", "mobilenet_v1", "mobilenet_v2", "mobilevit", "mobilevitv2", "dinov2"),
    *(
        "dinov2_with_registers",
        "bit",
        "levit",
        "pvt",
        "poolformer",
        "focalnet",
        "cvt",
        "vit_msn",
        "segformer",
    ),
}
TINY, MODE = number_between(0, 10), choice_of("default", "dw_bn", "avg", "linear")
FIELDS: dict[str, ValueCheck] = {
    **dict.fromkeys(
        ("num_hidden_layers", "depths", "depth", "num_block_repeats", "n_attn_blocks"),
        is_layer_count,
    ),
    **dict.fromkeys(("num_encoder_blocks", "num_stages"), integer_between(1, 16)),
    **dict.fromkeys(
        ("hidden_size", "hidden_sizes", "intermediate_size", "embed_dim", "embedding_size"), WIDTH
    ),
    **dict.fromkeys(("num_attention_heads", "num_heads", "neck_hidden_sizes", "hidden_dim"), WIDTH),
    **dict.fromkeys(
        ("in_channels", "out_channels", "base_attn_unit_dims", "groups_width", "num_groups"), WIDTH
    ),
    **dict.fromkeys(
        ("pooler_output_size", "decoder_hidden_size", "aspp_out_channels", "key_dim"), WIDTH
    ),
    **dict.fromkeys(("auxiliary_channels", "vocab_size", "min_depth", "width_factor"), WIDTH),
    **dict.fromkeys(
        ("image_size", "patch_size", "patch_sizes"), scalar_or_list(integer_between(1, SIDE))
    ),
    "num_channels": integer_between(1, 16),
    "num_register_tokens": integer_between(0, 64),
    **dict.fromkeys(
        ("window_size", "pretrained_window_sizes", "encoder_stride", "output_stride"), SMALL
    ),
    **dict.fromkeys(
        ("kernel_size", "kernel_sizes", "strides", "stride", "padding", "patch_padding"), SMALL
    ),
    **dict.fromkeys(
        ("patch_stride", "kernel_qkv", "padding_kv", "padding_q", "stride_kv", "stride_q"), SMALL
    ),
    **dict.fromkeys(
        ("depthwise_padding", "sequence_reduction_ratios", "sr_ratios", "pool_size"), SMALL
    ),
    **dict.fromkeys(
        ("conv_kernel_size", "atrous_rates", "pool_scales", "focal_levels", "focal_windows"), SMALL
    ),
    **dict.fromkeys(
        ("depth_divisible_by", "depth_divisor", "ffn_multiplier", "auxiliary_num_convs"), SMALL
    ),
    **dict.fromkeys(
        ("attention_ratio", "mlp_ratio", "mlp_ratios", "expand_ratio", "expand_ratios"), RATIO
    ),
    **dict.fromkeys(
        ("depth_multiplier", "depth_coefficient", "width_coefficient", "width_multiplier"), RATIO
    ),
    "squeeze_expansion_ratio": RATIO,
    **dict.fromkeys(
        ("hidden_dropout_prob", "attention_probs_dropout_prob", "drop_path_rate", "drop_rate"), RATE
    ),
    **dict.fromkeys(
        ("attention_drop_rate", "drop_connect_rate", "dropout_rate", "attn_dropout"), RATE
    ),
    **dict.fromkeys(
        ("aspp_dropout_prob", "classifier_dropout_prob", "ffn_dropout", "batch_norm_momentum"), RATE
    ),
    **dict.fromkeys(
        ("layer_norm_eps", "batch_norm_eps", "initializer_range", "layer_scale_init_value"), TINY
    ),
    **dict.fromkeys(("layerscale_value", "auxiliary_loss_weight"), TINY),
    **dict.fromkeys(("qkv_bias", "cls_token"), scalar_or_list(is_flag)),
    **dict.fromkeys(
        ("apply_layernorm", "reshape_hidden_states", "use_swiglu_ffn", "use_mask_token"), is_flag
    ),
    **dict.fromkeys(
        ("downsample_in_first_stage", "downsample_in_bottleneck", "tf_padding"), is_flag
    ),
    **dict.fromkeys(
        ("first_layer_is_expansion", "finegrained_output", "use_absolute_embeddings"), is_flag
    ),
    **dict.fromkeys(
        ("use_absolute_position_embeddings", "use_relative_position_bias", "use_mean_pooling"),
        is_flag,
    ),
    **dict.fromkeys(
        ("use_shared_relative_position_bias", "use_auxiliary_head", "add_fpn"), is_flag
    ),
    **dict.fromkeys(
        ("auxiliary_concat_input", "use_conv_embed", "use_layerscale", "use_layer_scale"), is_flag
    ),
    **dict.fromkeys(
        ("use_post_layernorm", "use_post_layernorm_in_modulation", "normalize_modulator"), is_flag
    ),
    **dict.fromkeys(("embedding_dynamic_padding", "reshape_last_stage"), is_flag),
    **dict.fromkeys(("hidden_act", "pooler_act"), ACTIVATION),
    "layer_type": choice_of("basic", "bottleneck", "x", "y", "preactivation"),
    "global_padding": choice_of("SAME", "VALID", "same", "valid"),
    "pooling_type": choice_of("mean", "max"),
    "qkv_projection_method": scalar_or_list(MODE),
    "down_ops": lambda value: (
        isinstance(value, list) and len(value) < 9 and all(map(is_levit_step, value))
    ),
}
# Fields that do not affect the network: they are ignored, or read elsewhere.
METADATA = {
    *(
        "model_type",
        "architectures",
        "transformers_version",
        "dtype",
        "torch_dtype",
        "_name_or_path",
        "id2label",
    ),
    *(
        "label2id",
        "problem_type",
        "num_labels",
        "output_attentions",
        "output_hidden_states",
        "return_dict",
    ),
    *("out_features", "out_indices", "stage_names", "_out_features", "_out_indices", "use_cache"),
    *(
        "semantic_loss_ignore_index",
        "chunk_size_feed_forward",
        "is_encoder_decoder",
        "num_hidden_groups",
        "num_layers",  # of a Swin: the number of its depths
    ),
    *(
        "path_norm",
        "finetuning_task",
        "torchscript",
        "use_bfloat16",
        "tie_word_embeddings",
        "gradient_checkpointing",
    ),
}


def is_levit_step(value: object) -> bool:
    """Return whether a value is a step between the stages of a LeViT: a word and five numbers.

    The step after the last stage is one empty word.

    >>> [is_levit_step([word, 16, 8, 4, 2, 2]) for word in ("Subsample", "Other")], is_levit_step([""])
    ([True, False], True)
    """
    if value == [""]:
        return True
    return (
        isinstance(value, list)
        and len(value) == 6
        and value[0] == "Subsample"
        and all(isinstance(n, int) and 0 < n <= 4096 for n in value[1:])
    )

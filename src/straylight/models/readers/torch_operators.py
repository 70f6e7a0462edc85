"""Allow-list of torch operators for programs: those that a classifier in evaluation mode needs.

Collected from the traced and scripted networks of torchvision and timm. None reads or writes files, prints,
draws random numbers, or allocates more than its inputs and sizes imply.
"""

# Layers.
LAYERS = """
_convolution _convolution_mode conv1d conv2d conv3d conv_transpose2d convolution linear addmm addbmm
baddbmm bmm matmul mm mv dot einsum batch_norm _native_batch_norm_legit_no_training instance_norm
layer_norm native_layer_norm group_norm native_group_norm rms_norm _fused_rms_norm
local_response_norm max_pool1d max_pool2d max_pool2d_with_indices avg_pool1d avg_pool2d avg_pool3d
adaptive_avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d _adaptive_avg_pool2d adaptive_max_pool1d
adaptive_max_pool2d lp_pool2d dropout dropout2d feature_dropout alpha_dropout native_dropout
scaled_dot_product_attention _native_multi_head_attention _transformer_encoder_layer_fwd embedding
upsample_nearest2d upsample_bilinear2d upsample_bicubic2d _upsample_bilinear2d_aa
_upsample_bicubic2d_aa _upsample_lanczos2d_aa upsample_nearest1d upsample_nearest3d
upsample_linear1d upsample_trilinear3d _upsample_nearest_exact1d _upsample_nearest_exact2d
_upsample_nearest_exact3d grid_sampler affine_grid_generator pixel_shuffle pixel_unshuffle
channel_shuffle im2col col2im unfold pad constant_pad_nd reflection_pad2d replication_pad2d
zero_pad2d one_hot
"""
# Elementwise functions.
POINTWISE = """
relu relu6 leaky_relu elu celu selu gelu silu mish hardtanh hardswish hardsigmoid sigmoid
log_sigmoid tanh softplus softsign prelu rrelu threshold abs neg exp expm1 log log1p log2 log10 sqrt
rsqrt square reciprocal pow sin cos tan asin acos atan atan2 sinh cosh erf erfc erfinv sign floor
ceil round trunc frac clamp clamp_min clamp_max clip add sub rsub mul div true_divide floor_divide
remainder fmod addcmul addcdiv lerp maximum minimum logaddexp where masked_fill eq ne lt le gt ge
logical_and logical_or logical_not logical_xor bitwise_and bitwise_or bitwise_not bitwise_xor isnan
isinf isfinite nan_to_num logit special_logit softmax log_softmax _softmax _log_softmax normalize
hypot __and__ __or__ __xor__ __not__ __contains__
"""
# Sums, and norms.
REDUCTIONS = """
sum mean var std var_mean std_mean max min amax amin argmax argmin prod norm linalg_vector_norm
linalg_norm frobenius_norm logsumexp cumsum cumprod all any topk sort argsort median count_nonzero
cosine_similarity
"""
# Reshaping, joining and indexing.
SHAPES = """
view reshape view_as reshape_as flatten unflatten squeeze unsqueeze permute transpose t movedim
swapaxes swapdims moveaxis numpy_T contiguous expand expand_as repeat repeat_interleave tile cat
concat concatenate stack hstack vstack chunk split split_with_sizes tensor_split unbind narrow slice
select index index_select gather take_along_dim masked_select roll flip rot90 tril triu diagonal
meshgrid broadcast_tensors broadcast_to clone alias detach copy copy_ fill fill_ zero_ index_put
index_put_ scatter scatter_add _unsafe_view _reshape_alias _unsafe_index _unsafe_index_put
unsafe_split unsafe_chunk as_tensor lift_fresh_copy lift_fresh lift select_scatter slice_scatter
view_copy permute_copy expand_copy pixel_shuffle nonzero
"""
# Tensors of a given size, and type conversion.
MAKERS = """
zeros ones full zeros_like ones_like full_like new_zeros new_ones new_full arange linspace eye
scalar_tensor tensor to _to_copy type_as float double int long bool cpu _autocast_to_full_precision
_autocast_to_reduced_precision result_type
"""
# Numbers, lists and strings of TorchScript.
SCALARS = """
size sym_size sym_numel sym_stride stride dim numel len __getitem__ _set_item append extend insert
pop list Int Float Bool Scalar IntImplicit FloatImplicit ScalarImplicit item _local_scalar_dense
floordiv mod __range_length __derive_index __is__ __isnot__ format join str ord is_floating_point
is_complex is_contiguous is_scripting is_nonzero is_autocast_enabled is_grad_enabled warn keys
values items __round_to_zero_floordiv requires_grad sym_constrain_range_for_size sym_constrain_range
_assert_tensor_metadata _assert_scalar _assert_async device dtype slice copy get
"""
# Lists, branches, loops and attributes of TorchScript.
PRIMITIVES = """
CallFunction CallMethod Constant CreateObject DictConstruct EnumName EnumValue GetAttr If
ImplicitTensorToNum ListConstruct ListUnpack Loop NumToTensor Param RaiseException Return
TupleConstruct TupleIndex TupleSlice TupleUnpack Uninitialized abs annotate data device dtype index
is_cuda is_meta is_mkldnn is_nested is_quantized is_sparse isinstance itemsize layout max min
requires_grad shape tolist type unchecked_cast unchecked_unwrap_optional
"""
# Layers, elementwise functions and makers that may return their input itself.
OTHERS = """
dropout dropout2d feature_dropout alpha_dropout native_dropout to type_as float double int long bool
cpu pad _autocast_to_full_precision _autocast_to_reduced_precision tensor max min unfold round
__and__ __or__ __xor__ __not__
"""
# Reshaping and joining that returns new memory.
COPIES = """
clone cat stack repeat index index_select gather roll flip _to_copy
"""
# In training branches of networks in evaluation mode: freezing removes them.
TRAINING = {
    *("bernoulli", "bernoulli_", "empty", "empty_like", "new_empty", "normal", "normal_"),
    *("rand", "rand_like", "randn", "randn_like", "uniform_"),
}
ATEN = frozenset(" ".join((LAYERS, POINTWISE, REDUCTIONS, SHAPES, MAKERS, SCALARS)).split())
PRIM = frozenset(PRIMITIVES.split())
FRESH = frozenset(" ".join((LAYERS, POINTWISE, REDUCTIONS, MAKERS, COPIES)).split()) - set(
    OTHERS.split()
)


def is_allowed_operator(kind: str) -> bool:
    """Return whether a kind of graph node is listed.

    >>> [is_allowed_operator(f"aten::{name}") for name in ("relu_", "save", "rand")]
    [True, False, False]
    >>> is_allowed_operator("prim::Print")
    False
    """
    space, _, name = kind.partition("::")
    known = name in ATEN or (name.endswith("_") and name[:-1] in ATEN)
    return known if space == "aten" else space == "prim" and name in PRIM


def is_known_operator(name: str) -> bool:
    """Return whether an operator may occur in a program, at least in a training branch."""
    return is_allowed_operator(f"aten::{name}") or name in TRAINING


def returns_new_memory(name: str) -> bool:
    """Return whether an aten operator always returns new memory, never a view of its input."""
    return name in FRESH

"""Allow-list of what a Keras model may contain: layers of image classifiers and tensor arithmetic.

None of them contains Python code, other libraries' models or file names.
"""

import re

# Data augmentation: inactive outside training.
AUGMENTATIONS = """
RandomBrightness RandomContrast RandomCrop RandomErasing RandomFlip RandomRotation RandomShear
RandomTranslation RandomZoom
"""
OTHERS = """
Activation ActivityRegularization AdaptiveAveragePooling2D AdaptiveMaxPooling2D Add
AdditiveAttention AlphaDropout Attention Average AveragePooling1D AveragePooling2D
BatchNormalization CenterCrop Concatenate Conv1D Conv2D Conv2DTranspose Cropping1D Cropping2D
Dense DepthwiseConv1D DepthwiseConv2D Dot Dropout ELU EinsumDense Embedding Flatten
GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D GlobalMaxPooling1D
GlobalMaxPooling2D GroupNormalization GroupQueryAttention Identity InputLayer LayerNormalization
LeakyReLU MaxPooling1D MaxPooling2D Maximum Minimum MultiHeadAttention Multiply Normalization
PReLU Permute RMSNormalization ReLU RepeatVector Rescaling Reshape Resizing SeparableConv1D
SeparableConv2D Softmax SpatialDropout1D SpatialDropout2D SpectralNormalization
Subtract TimeDistributed UnitNormalization UpSampling1D UpSampling2D ZeroPadding1D ZeroPadding2D
"""
LAYERS = frozenset((AUGMENTATIONS + OTHERS).split())
# Operations that `x + y` in a functional model is saved as.
SUMS = """
Abs Add Cast Clip Concatenate Divide Exp ExpandDims Gelu GetItem Log LogSoftmax Matmul Max Maximum
Mean Min Minimum Multiply Negative Pad Power Relu Reshape Sigmoid Silu Softmax Sqrt Square Squeeze
Stack Subtract Sum Tanh Transpose TrueDivide
"""
ARITHMETIC = frozenset(SUMS.split())
MODELS = {"Functional", "Model", "Sequential", "DTypePolicy"}
# Modules whose classes contain only numbers.
MODULES = re.compile(
    r"keras\.(src\.)?(initializers|regularizers|constraints|dtype_policies)(\.\w+)*", re.ASCII
)
NETWORKS = re.compile(r"keras(\.src)?(\.(layers|models|engine))?(\.\w+)*", re.ASCII)
FUNCTIONS = re.compile(r"builtins|keras\.(src\.)?activations(\.\w+)*", re.ASCII)
OPERATIONS = re.compile(r"keras\.(src\.)?ops(\.\w+)*", re.ASCII)
SIMPLE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}", re.ASCII)
TENSORS = {"__keras_tensor__", "__tensor__", "__numpy__"}


def is_allowed_keras_class(name: str, module: object, config: object) -> bool:
    """Return whether a class or function is listed as harmless."""
    if name in TENSORS:
        return True
    if name == "function":
        known = module is None or FUNCTIONS.fullmatch(str(module)) is not None
        return known and isinstance(config, str) and SIMPLE.fullmatch(config) is not None
    if module is None:
        return name in LAYERS | MODELS
    if MODULES.fullmatch(str(module)):
        return SIMPLE.fullmatch(name) is not None
    if OPERATIONS.fullmatch(str(module)):
        return name in ARITHMETIC
    return NETWORKS.fullmatch(str(module)) is not None and name in LAYERS | MODELS

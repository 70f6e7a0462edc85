"""Build networks of timm and torchvision by name."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from straylight.core.errors import InputError, quote_text, reason_of
from straylight.models.constructor_arguments import LAYER_ARGUMENTS, check_arguments

TORCHVISION = "torchvision:"
INCEPTIONS = ("googlenet", "inception_v3")  # of torchvision
# Auxiliary heads of the Inceptions, used only for training in the original papers: they are not built, and
# are ignored in weights files.
AUXILIARY_PREFIXES = ("AuxLogits.", "aux1.", "aux2.")

# Raised by constructors for arguments that do not fit together.
CONSTRUCTOR_ERRORS = (
    *(TypeError, ValueError, RuntimeError, KeyError, IndexError, AttributeError, AssertionError),
    *(ZeroDivisionError, NotImplementedError, OverflowError),
)

Normalisation = tuple[tuple[float, ...], tuple[float, ...]]  # mean, std
IMAGENET: Normalisation = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def build_network(
    architecture: str, arguments: dict[str, Any], n_classes: int, *, pretrained: bool = False
) -> nn.Module:
    """Build a network of timm (``NAME``) or of torchvision (``torchvision:NAME``).

    Args:
        architecture: Its name.
        arguments: Keyword arguments for the library's constructor.
        n_classes: Outputs of the classification layer.
        pretrained: Download the library's public weights for all but the classification layer;
            otherwise all weights are random. Only tensors are read from a downloaded pickle.

    Raises:
        InputError: If the library does not know the architecture or its arguments, or the weights
            cannot be loaded.
    """
    if arguments.get("aux_logits"):
        raise InputError(
            f"auxiliary heads are not supported: remove aux_logits from {quote_text(architecture)}."
        )
    check_arguments(architecture, arguments, LAYER_ARGUMENTS)
    library, name = _build_timm, architecture
    if architecture.startswith(TORCHVISION):
        library, name = _build_torchvision, architecture.removeprefix(TORCHVISION)
    if not pretrained:
        return library(name, arguments, n_classes, False)
    try:
        with restricted_unpickling():
            return library(name, arguments, n_classes, True)
    except InputError:
        raise
    except Exception as error:
        # The hub, the connection and the libraries raise exceptions of their own.
        raise InputError(
            f"the public weights of {architecture} cannot be loaded ({type(error).__name__}): "
            "check the name and the connection, or give --weights FILE.safetensors."
        ) from error


@contextmanager
def restricted_unpickling() -> Iterator[None]:
    """Restrict torch's unpickling to tensors, even where a library does not ask for it.

    torchvision loads its weights, which are pickles, without `weights_only`; timm falls back to pickles
    if there is no safetensors file.
    """
    switch = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    before = os.environ.get(switch)
    os.environ[switch] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[switch]
        else:
            os.environ[switch] = before


def _build_timm(
    name: str, arguments: dict[str, Any], n_classes: int, pretrained: bool
) -> nn.Module:
    """Build a timm model."""
    import timm  # takes seconds: import it only to build a network

    if not timm.is_model(name):
        _raise_unknown_architecture("timm", name, timm.list_models(f"*{name[:6]}*"))
    if pretrained:  # raises the hub's exceptions, some of them ValueErrors
        public: nn.Module = timm.create_model(
            name, pretrained=True, num_classes=n_classes, **arguments
        )
        return public
    try:
        network: nn.Module = timm.create_model(name, num_classes=n_classes, **arguments)
    except InputError:
        raise
    except CONSTRUCTOR_ERRORS as error:
        raise InputError(
            f"timm cannot build {name} with {quote_text(arguments)}: {reason_of(error)}."
        ) from error
    return network


def _build_torchvision(
    name: str, arguments: dict[str, Any], n_classes: int, pretrained: bool
) -> nn.Module:
    """Build a torchvision classifier."""
    from torchvision import models

    get_model = models.get_model
    known: list[str] = models.list_models(module=models)
    if name not in known:
        _raise_unknown_architecture(
            "torchvision", name, [other for other in known if other[:6] == name[:6]]
        )
    own = {"aux_logits": False, "init_weights": True} if name in INCEPTIONS else {}
    try:
        network: nn.Module = get_model(
            name, weights=None, num_classes=n_classes, **(own | arguments)
        )
    except InputError:
        raise
    except CONSTRUCTOR_ERRORS as error:
        raise InputError(
            f"torchvision cannot build {name} with {quote_text(arguments)}: {reason_of(error)}."
        ) from error
    if pretrained:
        public = get_model(name, weights="DEFAULT", **arguments).state_dict()
        head = head_prefixes(network)
        kept = {name: t for name, t in network.state_dict().items() if name.startswith(head)}
        kept |= {n: t for n, t in public.items() if not n.startswith((*head, *AUXILIARY_PREFIXES))}
        network.load_state_dict(kept)
    return network


def _raise_unknown_architecture(library: str, name: str, near: list[str]) -> None:
    """Raise for an architecture that a library does not know."""
    hint = ", ".join(near[:5]) or f"see {library}'s list_models()"
    raise InputError(f"{library} has no model '{quote_text(name)}' (similar names: {hint}).")


def head_prefixes(network: nn.Module) -> tuple[str, ...]:
    """Return the prefixes of the classification layer's parameters (timm names it; else the last layer)."""
    layers = [n for n, m in network.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    names = getattr(network, "default_cfg", {}).get("classifier", layers[-1])
    names = names if isinstance(names, tuple | list) else (names,)
    return tuple(f"{name}." for name in names)


def pretrained_normalisation(architecture: str, arguments: dict[str, Any]) -> Normalisation | None:
    """Return the mean and std of the public weights, or None if the library does not state them.

    torchvision's Inceptions state ImageNet's values and convert them to 0.5 inside (`transform_input`),
    but only if they were built with that option.
    """
    if not architecture.startswith(TORCHVISION):
        import timm

        try:
            config = timm.get_pretrained_cfg(architecture)
        except RuntimeError:  # no weights with this tag: building it gives a better message
            return None
        return (tuple(config.mean), tuple(config.std)) if config else None
    from torchvision import models

    name = architecture.removeprefix(TORCHVISION)
    if name in INCEPTIONS and not arguments.get("transform_input"):
        return (0.5,) * 3, (0.5,) * 3
    if name not in models.list_models(module=models):
        return None
    transforms = models.get_model_weights(name)["DEFAULT"].transforms()
    return tuple(transforms.mean), tuple(transforms.std)

"""Networks by name, as timm and torchvision know them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from straylight.core.errors import InputError, quoted, reason_of
from straylight.models.constructor_arguments import LAYER_ARGUMENTS, check_arguments

TORCHVISION = "torchvision:"
INCEPTIONS = ("googlenet", "inception_v3")  # of torchvision
# Second and third heads of the Inceptions, which only the training of their first papers used: they are
# not built, and left out where a file has them.
AUXILIARY = ("AuxLogits.", "aux1.", "aux2.")

# What constructors raise for arguments that do not fit together.
BUILDING = (
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
        arguments: Keyword arguments for the library that builds it.
        n_classes: Outputs of the head.
        pretrained: Fill all but the head with the public weights that the library downloads;
            otherwise everything is random. Of a downloaded pickle only tensors are read.

    Raises:
        InputError: If the library does not know the architecture or its arguments, or the weights
            cannot be had.
    """
    if arguments.get("aux_logits"):
        raise InputError(
            f"auxiliary heads are not trained: leave aux_logits of {quoted(architecture)} away."
        )
    check_arguments(architecture, arguments, LAYER_ARGUMENTS)
    library, name = timm_network, architecture
    if architecture.startswith(TORCHVISION):
        library, name = torchvision_network, architecture.removeprefix(TORCHVISION)
    if not pretrained:
        return library(name, arguments, n_classes, False)
    try:
        with restricted_unpickling():
            return library(name, arguments, n_classes, True)
    except InputError:
        raise
    except Exception as error:
        # The hub, the network and the libraries each raise their own kinds.
        raise InputError(
            f"the public weights of {architecture} cannot be loaded ({type(error).__name__}): "
            "check the name and the connection, or give --weights FILE.safetensors."
        ) from error


@contextmanager
def restricted_unpickling() -> Iterator[None]:
    """See to it that torch unpickles tensors only, whichever way a library asks.

    torchvision's weights are pickles, which it loads without `weights_only`; timm falls back on them
    where there is no safetensors file.
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


def timm_network(
    name: str, arguments: dict[str, Any], n_classes: int, pretrained: bool
) -> nn.Module:
    """Build a timm model."""
    import timm  # takes seconds: only where a network is built

    if not timm.is_model(name):
        refuse("timm", name, timm.list_models(f"*{name[:6]}*"))
    if pretrained:  # it raises the hub's kinds of error, some of them ValueErrors
        public: nn.Module = timm.create_model(
            name, pretrained=True, num_classes=n_classes, **arguments
        )
        return public
    try:
        network: nn.Module = timm.create_model(name, num_classes=n_classes, **arguments)
    except InputError:
        raise
    except BUILDING as error:
        raise InputError(
            f"timm cannot build {name} with {quoted(arguments)}: {reason_of(error)}."
        ) from error
    return network


def torchvision_network(
    name: str, arguments: dict[str, Any], n_classes: int, pretrained: bool
) -> nn.Module:
    """Build a torchvision classifier."""
    from torchvision import models

    get_model = models.get_model
    known: list[str] = models.list_models(module=models)
    if name not in known:
        refuse("torchvision", name, [other for other in known if other[:6] == name[:6]])
    own = {"aux_logits": False, "init_weights": True} if name in INCEPTIONS else {}
    try:
        network: nn.Module = get_model(
            name, weights=None, num_classes=n_classes, **(own | arguments)
        )
    except InputError:
        raise
    except BUILDING as error:
        raise InputError(
            f"torchvision cannot build {name} with {quoted(arguments)}: {reason_of(error)}."
        ) from error
    if pretrained:
        public = get_model(name, weights="DEFAULT", **arguments).state_dict()
        head = head_prefixes(network)
        kept = {name: t for name, t in network.state_dict().items() if name.startswith(head)}
        kept |= {n: t for n, t in public.items() if not n.startswith((*head, *AUXILIARY))}
        network.load_state_dict(kept)
    return network


def refuse(library: str, name: str, near: list[str]) -> None:
    """Refuse a name that a library does not know."""
    hint = ", ".join(near[:5]) or f"{library}'s list_models() lists them"
    raise InputError(f"{library} has no model '{quoted(name)}' (near: {hint}).")


def head_prefixes(network: nn.Module) -> tuple[str, ...]:
    """Names of the classification head's parameters: timm says which, else it is the last layer."""
    layers = [n for n, m in network.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    names = getattr(network, "default_cfg", {}).get("classifier", layers[-1])
    names = names if isinstance(names, tuple | list) else (names,)
    return tuple(f"{name}." for name in names)


def own_normalisation(architecture: str, arguments: dict[str, Any]) -> Normalisation | None:
    """Return the mean and std that public weights were trained with, where the library says.

    torchvision's Inceptions say ImageNet's and turn it into 0.5 inside (`transform_input`), which only
    networks that were built so do.
    """
    if not architecture.startswith(TORCHVISION):
        import timm

        try:
            said = timm.get_pretrained_cfg(architecture)
        except RuntimeError:  # it has no weights of this tag, which building it tells better
            return None
        return (tuple(said.mean), tuple(said.std)) if said else None
    from torchvision import models

    name = architecture.removeprefix(TORCHVISION)
    if name in INCEPTIONS and not arguments.get("transform_input"):
        return (0.5,) * 3, (0.5,) * 3
    if name not in models.list_models(module=models):
        return None
    transforms = models.get_model_weights(name)["DEFAULT"].transforms()
    return tuple(transforms.mean), tuple(transforms.std)

"""Networks by name: timm's and torchvision's, their heads, and what is refused."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from straylight.backbones import build_network, head_prefixes
from straylight.cohort import load_cohort
from straylight.errors import InputError
from straylight.finetune import finetune, initial_network
from straylight.modelcard import load_classifier
from straylight.recipe import Recipe


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("test_resnet", ("fc.",)),
        ("mobilenetv2_100", ("classifier.",)),
        ("torchvision:squeezenet1_1", ("classifier.1.",)),
        ("torchvision:vgg16", ("classifier.6.",)),
        ("torchvision:resnet50", ("fc.",)),
        ("torchvision:densenet121", ("classifier.",)),
    ],
)
def test_the_head_is_found_and_has_an_output_for_each_class(
    name: str, head: tuple[str, ...]
) -> None:
    with torch.device("meta"):
        network = build_network(name, {}, 5)
    assert head_prefixes(network) == head
    assert network.get_submodule(head[0][:-1]).weight.shape[0] == 5


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        (
            "torchvision:squeezenet9",
            {},
            "torchvision has no model 'squeezenet9' .near: squeezenet1",
        ),
        ("squeezenet1_1", {}, "timm has no model 'squeezenet1_1'"),
        ("torchvision:vgg11", {"colour": 1}, "torchvision cannot build vgg11 with"),
        ("torchvision:", {}, "torchvision has no model ''"),
    ],
)
def test_unknown_networks_are_refused(
    name: str, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        build_network(name, arguments, 2)


def test_public_weights_of_torchvision_fill_all_but_the_head(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    public = models.squeezenet1_1()

    def served(*_: object, **__: object) -> dict[str, torch.Tensor]:
        return public.state_dict()

    monkeypatch.setattr("torchvision.models._api.WeightsEnum.get_state_dict", served)
    network = build_network("torchvision:squeezenet1_1", {}, 2, pretrained=True)
    found = network.state_dict()
    for name, tensor in public.state_dict().items():
        if name.startswith("classifier.1."):
            assert found[name].shape[0] == 2
        else:
            assert torch.equal(found[name], tensor)


def test_public_weights_that_cannot_be_had_are_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def offline(*_: object, **__: object) -> None:
        raise OSError("no route")

    monkeypatch.setattr("torchvision.models._api.WeightsEnum.get_state_dict", offline)
    with pytest.raises(InputError, match="public weights of torchvision:squeezenet1_1 cannot be"):
        build_network("torchvision:squeezenet1_1", {}, 2, pretrained=True)


def test_a_squeezenet_is_fine_tuned_from_its_public_file_and_read_again(
    class_folders: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    public = models.squeezenet1_1()
    save_file(public.state_dict(), tmp_path / "public.safetensors")
    recipe = Recipe(
        backbone="torchvision:squeezenet1_1", weights=str(tmp_path / "public.safetensors"), epochs=1
    )
    start = initial_network(recipe, 2)
    first = start.get_submodule("features.0")
    assert isinstance(first, nn.Conv2d)
    assert torch.equal(first.weight, public.features[0].weight)
    data = load_cohort(class_folders, (3, 32, 32))
    made = finetune(data, recipe, tmp_path / "m")
    loaded = load_classifier(tmp_path / "m")
    assert torch.equal(loaded.logits_all(data.images), made.logits_all(data.images))

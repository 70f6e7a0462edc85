"""Networks by name: timm's and torchvision's, their heads, their public weights, and what is refused."""

import os
import pickle
import warnings
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from straylight.cohort.load import load_cohort
from straylight.core.errors import InputError
from straylight.models.backbones import (
    build_network,
    head_prefixes,
    pretrained_normalisation,
    restricted_unpickling,
)
from straylight.models.card import load_classifier
from straylight.training.finetune import finetune, initial_network
from straylight.training.recipe import Recipe

# Those of Minagi et al. 2022 and of Hirano et al. 2021: head, its inputs, batch norms.
PAPERS = {
    "inception_v3": ("fc.", 2048, 94),
    "vgg16": ("head.fc.", 4096, 0),
    "vgg19": ("head.fc.", 4096, 0),
    "resnet50": ("fc.", 2048, 53),
    "inception_resnet_v2": ("classif.", 1536, 204),
    "densenet121": ("classifier.", 1024, 121),
    "densenet169": ("classifier.", 1664, 169),
    "torchvision:inception_v3": ("fc.", 2048, 94),
    "torchvision:vgg16": ("classifier.6.", 4096, 0),
    "torchvision:vgg19": ("classifier.6.", 4096, 0),
    "torchvision:resnet50": ("fc.", 2048, 53),
    "torchvision:densenet121": ("classifier.", 1024, 121),
    "torchvision:densenet169": ("classifier.", 1664, 169),
}


@pytest.mark.parametrize("name", PAPERS)
def test_the_papers_architectures_can_be_trained(name: str) -> None:
    """Shapes alone, at less than their own size: in training, too, there is no second head's output."""
    head, features, norms = PAPERS[name]
    with torch.device("meta"):
        network = build_network(name, {}, 5)
        assert head_prefixes(network) == (head,)
        assert network.get_submodule(head[:-1]).weight.shape == (5, features)
        assert sum(isinstance(module, nn.BatchNorm2d) for module in network.modules()) == norms
        assert network.train()(torch.empty(2, 3, 128, 128)).shape == (2, 5)


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
            "torchvision has no model 'squeezenet9' .similar names: squeezenet1",
        ),
        ("squeezenet1_1", {}, "timm has no model 'squeezenet1_1'"),
        ("torchvision:vgg11", {"colour": 1}, "torchvision:vgg11 cannot be built with colour"),
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


def varied(network: nn.Module) -> dict[str, torch.Tensor]:
    """Make up weights that no initialisation gives: each tensor has a number of its own."""
    return {
        name: torch.full_like(tensor, 1 + number % 97)
        for number, (name, tensor) in enumerate(network.state_dict().items())
    }


def assert_filled(network: nn.Module, public: dict[str, torch.Tensor], head: str) -> None:
    for name, tensor in network.state_dict().items():
        if name.startswith(head):
            assert not tensor.any()
        else:
            assert torch.equal(tensor, public[name])


@pytest.mark.parametrize(
    ("name", "arguments", "served"),
    [
        ("inception_v3", {}, {"aux_logits": True}),  # its file has the second head
        ("vgg16", {"mlp_ratio": 0.01}, {"mlp_ratio": 0.01}),
        ("densenet121", {}, {}),
        ("resnet50.tv_in1k", {}, {}),
    ],
)
def test_public_weights_of_timm_arrive(
    name: str,
    arguments: dict[str, object],
    served: dict[str, object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The hub has the file that timm asks for; all after the download is timm's own code."""
    public = varied(timm.create_model(name, **served))
    save_file(public, tmp_path / "model.safetensors")

    def download(*_: object, filename: str, **__: object) -> str:
        return str(tmp_path / filename)

    monkeypatch.setattr("timm.models._hub.hf_hub_download", download)
    network = initial_network(Recipe(backbone=name, backbone_args=arguments), 3)
    assert_filled(network, public, PAPERS[name.partition(".")[0]][0])


def cached(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where torchvision finds a network's public weights once they are downloaded."""
    monkeypatch.setenv("TORCH_HOME", str(folder))
    url = models.get_model_weights(name)["DEFAULT"].url
    (folder / "hub" / "checkpoints").mkdir(parents=True)
    return folder / "hub" / "checkpoints" / url.rpartition("/")[2]


@pytest.mark.parametrize("name", ["inception_v3", "densenet121", "resnet50"])
def test_public_weights_of_torchvision_arrive(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is where its download leaves it; all after that is torchvision's own code."""
    arguments = {"init_weights": False} if name == "inception_v3" else {}
    public = varied(models.get_model(name, **arguments))
    torch.save(public, cached(name, tmp_path, monkeypatch))
    network = initial_network(Recipe(backbone=f"torchvision:{name}"), 3)
    assert_filled(network, public, PAPERS[f"torchvision:{name}"][0])


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder),)


def test_a_download_that_is_a_program_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", raising=False)
    path = cached("squeezenet1_1", tmp_path, monkeypatch)
    torch.save({"features.0.weight": Payload(tmp_path / "run")}, path)
    with pytest.raises(InputError, match=r"squeezenet1_1 cannot be loaded .UnpicklingError"):
        build_network("torchvision:squeezenet1_1", {}, 2, pretrained=True)
    assert not (tmp_path / "run").exists()
    assert "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ
    torch.load(path, weights_only=False)  # what torchvision's own loader would have done
    assert (tmp_path / "run").exists()


def test_unpickling_is_restricted_whatever_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "0")
    torch.save(Payload(tmp_path / "run"), tmp_path / "file.pth")
    with restricted_unpickling(), pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / "file.pth", weights_only=False)
    assert not (tmp_path / "run").exists()
    assert os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] == "0"


def test_a_file_with_auxiliary_heads_fills_a_network_without(tmp_path: Path) -> None:
    with warnings.catch_warnings(action="ignore"):  # torchvision's, of its slow initialisation
        public = varied(models.googlenet(init_weights=False))
    assert any(name.startswith("aux1.") for name in public)
    save_file(public, tmp_path / "public.safetensors")
    weights = str(tmp_path / "public.safetensors")
    network = initial_network(Recipe(backbone="torchvision:googlenet", weights=weights), 2)
    assert_filled(network, public, "fc.")
    assert len(network.state_dict()) < len(public)


@pytest.mark.parametrize("name", ["inception_v3", "torchvision:inception_v3"])
def test_auxiliary_heads_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"remove aux_logits from {name}"):
        build_network(name, {"aux_logits": True}, 2)


@pytest.mark.parametrize(
    ("name", "arguments", "mean"),
    [
        ("inception_v3", {}, (0.5, 0.5, 0.5)),
        ("mobilenetv2_100", {}, (0.485, 0.456, 0.406)),
        ("torchvision:vgg16", {}, (0.485, 0.456, 0.406)),
        ("torchvision:inception_v3", {}, (0.5, 0.5, 0.5)),
        ("torchvision:inception_v3", {"transform_input": True}, (0.485, 0.456, 0.406)),
    ],
)
def test_the_normalisation_of_public_weights_is_their_librarys(
    name: str, arguments: dict[str, object], mean: tuple[float, ...]
) -> None:
    found = pretrained_normalisation(name, arguments)
    assert found is not None
    assert found[0] == mean


@pytest.mark.parametrize("name", ["nothing", "resnet50.nothing", "torchvision:nothing"])
def test_a_network_without_public_weights_has_no_normalisation(name: str) -> None:
    assert pretrained_normalisation(name, {}) is None


def test_torchvisions_inception_takes_what_its_own_weights_were_trained_with() -> None:
    """Built as torchvision does with weights, it turns ImageNet's normalisation into ours."""
    images = torch.rand(2, 3, 75, 75, generator=torch.Generator().manual_seed(0))
    with torch.device("meta"):
        theirs = build_network("torchvision:inception_v3", {"transform_input": True}, 2)
    mean, std = pretrained_normalisation("torchvision:inception_v3", {"transform_input": True}) or (
        (),
        (),
    )
    said = (images - torch.tensor(mean).view(-1, 1, 1)) / torch.tensor(std).view(-1, 1, 1)
    assert isinstance(theirs, models.Inception3)
    torch.testing.assert_close(theirs._transform_input(said), (images - 0.5) / 0.5)


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

"""An imported release against a forward pass written from the models' description, straight from the files' tensors."""

import math
import os
import shutil
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402
import yaml  # noqa: E402

from errors import UserError  # noqa: E402
from formats.labels import load_label_table  # noqa: E402
from models.squeezesegv3.checkpoint import load_checkpoint, save_checkpoint  # noqa: E402
from models.squeezesegv3.inference import inference_form  # noqa: E402
from models.squeezesegv3.release import read_release  # noqa: E402

NAMES = load_label_table().names
BLOCKS = {21: (1, 1, 2, 2, 1), 53: (1, 2, 8, 8, 4)}
CHANNELS = (32, 64, 128, 256, 256, 256)
HEADS = {1: (256, 1), 2: (256, 1), 3: (128, 1), 4: (64, 1), 5: (32, 3)}


class RandomTensors:
    """State dicts in the release's naming, of one network or another, with values as if trained."""

    def __init__(self, layers):
        self.generator = torch.Generator().manual_seed(layers)
        self.parts = {"backbone": {}, "segmentation_decoder": {}}
        self.backbone(layers)
        self.decoder()
        for i, (channels, kernel) in HEADS.items():
            self.parts[f"segmentation_head{i}"] = self.part = {}
            self.conv("1", channels, 20, kernel, kernel, bias=True)

    def conv(self, name, inputs, outputs, height, width, *, bias, transposed=False):
        spread = 1 / math.sqrt(inputs * height * width)
        shape = (inputs, outputs, height, width) if transposed else (outputs, inputs, height, width)
        self.part[f"{name}.weight"] = torch.randn(shape, generator=self.generator) * spread
        if bias:
            self.part[f"{name}.bias"] = torch.randn(outputs, generator=self.generator) * 0.1

    def norm(self, name, channels):
        for what, low, high in (("weight", 0.5, 1.5), ("bias", -0.3, 0.3), ("running_mean", -0.3, 0.3)):
            self.part[f"{name}.{what}"] = torch.empty(channels).uniform_(low, high, generator=self.generator)
        self.part[f"{name}.running_var"] = torch.empty(channels).uniform_(0.5, 2, generator=self.generator)
        self.part[f"{name}.num_batches_tracked"] = torch.tensor(7)

    def backbone(self, layers):
        self.part = self.parts["backbone"]
        self.conv("conv1", 5, 32, 3, 3, bias=False)
        self.norm("bn1", 32)
        for stage, count in enumerate(BLOCKS[layers]):
            channels, after = CHANNELS[stage], CHANNELS[stage + 1]
            for i in range(count):
                name = f"enc{stage + 1}.residual_{i}"
                self.conv(f"{name}.attention_x.0", 3, 9 * channels, 7, 7, bias=True)
                self.norm(f"{name}.attention_x.1", 9 * channels)
                self.conv(f"{name}.position_mlp_2.0", 9 * channels, channels, 1, 1, bias=True)
                self.norm(f"{name}.position_mlp_2.1", channels)
                self.conv(f"{name}.position_mlp_2.3", channels, channels, 3, 3, bias=True)
                self.norm(f"{name}.position_mlp_2.4", channels)
            if stage < 3:
                self.conv(f"enc{stage + 1}.conv", channels, after, 3, 3, bias=False)
                self.norm(f"enc{stage + 1}.bn", after)

    def decoder(self):
        self.part = self.parts["segmentation_decoder"]
        for stage, before, after in ((5, 256, 256), (4, 256, 256), (3, 256, 128), (2, 128, 64), (1, 64, 32)):
            name = f"dec{stage}"
            if stage > 3:
                self.conv(f"{name}.conv", before, after, 3, 3, bias=True)
            else:
                self.conv(f"{name}.upconv", before, after, 1, 4, bias=True, transposed=True)
            self.norm(f"{name}.bn", after)
            self.conv(f"{name}.residual.conv1", after, before, 1, 1, bias=False)
            self.norm(f"{name}.residual.bn1", before)
            self.conv(f"{name}.residual.conv2", before, after, 3, 3, bias=False)
            self.norm(f"{name}.residual.bn2", after)


def described(parts, layers, image):
    """The network as its description says it, in plain functions of the release's tensors."""

    def conv(part, name, x, **settings):
        tensors = parts[part]
        weight = tensors[f"{name}.weight"]
        return F.conv2d(x, weight, tensors.get(f"{name}.bias"), padding=weight.shape[-1] // 2, **settings)

    def norm(part, name, x):
        mean, var, weight, bias = (
            parts[part][f"{name}.{what}"][:, None, None] for what in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / torch.sqrt(var + 1e-5) * weight + bias

    def leaky(x):
        return torch.where(x > 0, x, 0.1 * x)

    def sac(name, xyz, x):
        attention = torch.sigmoid(
            norm("backbone", f"{name}.attention_x.1", conv("backbone", f"{name}.attention_x.0", xyz))
        )
        y = F.unfold(x, 3, padding=1).view(len(x), -1, *x.shape[2:]) * attention
        y = norm("backbone", f"{name}.position_mlp_2.1", conv("backbone", f"{name}.position_mlp_2.0", y)).clamp(min=0)
        y = norm("backbone", f"{name}.position_mlp_2.4", conv("backbone", f"{name}.position_mlp_2.3", y)).clamp(min=0)
        return y + x

    xyz, skips = image[:, 1:4], []
    x = leaky(norm("backbone", "bn1", conv("backbone", "conv1", image)))
    for stage, count in enumerate(BLOCKS[layers], start=1):
        before = x
        for i in range(count):
            x = sac(f"enc{stage}.residual_{i}", xyz, x)
        if stage <= 3:
            skips.append(before)
            x = leaky(norm("backbone", f"enc{stage}.bn", conv("backbone", f"enc{stage}.conv", x, stride=(1, 2))))
            xyz = F.interpolate(xyz, (xyz.shape[2], xyz.shape[3] // 2), mode="bilinear", align_corners=True)

    decoder = "segmentation_decoder"
    for stage in (5, 4, 3, 2, 1):
        name = f"dec{stage}"
        if stage > 3:
            x = conv(decoder, f"{name}.conv", x)
        else:
            weight, bias = parts[decoder][f"{name}.upconv.weight"], parts[decoder][f"{name}.upconv.bias"]
            x = F.conv_transpose2d(x, weight, bias, stride=(1, 2), padding=(0, 1))
        x = leaky(norm(decoder, f"{name}.bn", x))
        y = leaky(norm(decoder, f"{name}.residual.bn1", conv(decoder, f"{name}.residual.conv1", x)))
        x = leaky(norm(decoder, f"{name}.residual.bn2", conv(decoder, f"{name}.residual.conv2", y))) + x
        if stage <= 3:
            x = x + skips.pop()
    return conv("segmentation_head5", "1", x)


def architecture(layers, **sensor):
    """``arch_cfg.yaml``, abridged."""
    usual = {
        "name": "HDL64",
        "fov_up": 3,
        "fov_down": -25,
        "img_prop": {"width": 2048, "height": 64},
        "img_means": [12.12, 10.88, 0.23, -1.04, 0.21],
        "img_stds": [12.32, 11.47, 6.91, 0.86, 0.16],
    }
    return {
        "train": {"loss": "xentropy"},
        "backbone": {"name": "SAC", "OS": 8, "extra": {"layers": layers}},
        "dataset": {"sensor": usual | sensor},
    }


def write(folder, parts, arch):
    folder.mkdir(exist_ok=True)
    for name, tensors in parts.items():
        torch.save(tensors, folder / name)
    (folder / "arch_cfg.yaml").write_text(yaml.safe_dump(arch))
    (folder / "data_cfg.yaml").write_text("read by the caller")
    return folder


@pytest.fixture(scope="module")
def parts():
    return RandomTensors(21).parts


@pytest.fixture(scope="module")
def whole(parts, tmp_path_factory):
    return write(tmp_path_factory.mktemp("whole") / "release", parts, architecture(21))


@pytest.fixture
def release(whole, tmp_path):
    """A release folder to spoil, by :func:`replace` alone: its files are links."""
    return Path(shutil.copytree(whole, tmp_path / "release", copy_function=os.link))


def replace(path, content):
    path.unlink(missing_ok=True)
    torch.save(content, path)


@pytest.mark.parametrize("layers", [21, 53])
def test_imported_weights_give_the_described_logits(layers, tmp_path):
    parts = RandomTensors(layers).parts
    checkpoint, notes = read_release(write(tmp_path / "release", parts, architecture(layers)), NAMES)
    assert (checkpoint.layers, checkpoint.sac, checkpoint.height, checkpoint.width) == (layers, "isk", 64, 2048)
    assert notes == []
    save_checkpoint(tmp_path / "imported.pt", checkpoint)
    network = load_checkpoint(tmp_path / "imported.pt").restore().eval()
    image = torch.randn(1, 5, 8, 32, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        wanted = described(parts, layers, image)
        assert wanted.shape == (1, 20, 8, 32)
        for ours in (network(image), inference_form(network)(image)):
            assert (ours - wanted).abs().max() <= 1e-5 * wanted.abs().max()


def test_normalisation_and_projection_are_the_folders_own(release):
    # Range and z are swapped in the published configuration of the larger network.
    swapped = architecture(
        21,
        img_means=[-1.04, 10.88, 0.23, 12.12, 0.21],
        img_stds=[0.86, 11.47, 6.91, 12.32, 0.16],
        fov_up=2,
        fov_down=24.9,
        img_prop={"width": 1024, "height": 32},
    )
    (release / "arch_cfg.yaml").unlink()
    (release / "arch_cfg.yaml").write_text(yaml.safe_dump(swapped))
    checkpoint, notes = read_release(release, NAMES)
    assert checkpoint.means == (-1.04, 10.88, 0.23, 12.12, 0.21)
    assert checkpoint.stds == (0.86, 11.47, 6.91, 12.32, 0.16)
    assert (checkpoint.height, checkpoint.width) == (32, 1024)
    assert (checkpoint.fov_up_deg, checkpoint.fov_down_deg) == (2, -24.9)
    assert len(notes) == 1
    assert "its own means" in notes[0]


def test_prefix_of_data_parallel_is_taken_off_and_said(release, parts):
    replace(release / "backbone", {f"module.{name}": tensor for name, tensor in parts["backbone"].items()})
    (release / "optimizer").write_bytes(b"whatever")
    checkpoint, notes = read_release(release, NAMES)
    assert torch.equal(checkpoint.network["backbone.conv1.weight"], parts["backbone"]["conv1.weight"])
    assert notes == ["backbone: the prefix 'module.' of DataParallel was taken off", "not read: optimizer"]


def test_batch_counts_may_be_missing(release, parts):
    kept = {name: tensor for name, tensor in parts["backbone"].items() if "num_batches" not in name}
    replace(release / "backbone", kept)
    read_release(release, NAMES).checkpoint.restore()


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        (
            "backbone",
            {"enc3.residual_1.attention_x.0.bias": None},
            r"backbone: .*-21: missing enc3\.residual_1\.att.*bias$",
        ),
        ("backbone", {"enc9.what": torch.zeros(2)}, r"backbone: .*unexpected enc9\.what$"),
        (
            "segmentation_decoder",
            {"dec2.bn.bias": torch.zeros(3)},
            r"segmentation_decoder: .*dec2\.bn\.bias has shape \[3\] instead of \[64\]$",
        ),
        ("segmentation_head5", {"1.bias": torch.full((20,), torch.nan)}, r"segmentation_head5: .*not finite: 1\.bias$"),
        ("segmentation_head5", {"1.bias": "text"}, "segmentation_head5: not a plain state dict"),
    ],
)
def test_wrong_tensors_are_named(release, parts, part, change, message):
    tensors = {name: value for name, value in (parts[part] | change).items() if value is not None}
    replace(release / part, tensors)
    with pytest.raises(UserError, match=message) as raised:
        read_release(release, NAMES)
    assert "\n" not in str(raised.value)


def test_other_number_of_classes(release):
    with pytest.raises(UserError, match=r"segmentation_head1: .*\[20, 256, 1, 1\] instead of \[4, 256, 1, 1\]"):
        read_release(release, NAMES[:4])


class Runs:
    """Unpickling it would call print."""

    def __reduce__(self):
        return print, ("run",)


def test_code_is_not_run(release, capsys):
    replace(release / "segmentation_head2", {"1.weight": Runs()})
    with pytest.raises(UserError, match="segmentation_head2: needs code to be run to read it, which is refused"):
        read_release(release, NAMES)
    assert capsys.readouterr().out == ""


def test_damaged_missing_and_no_folder(release):
    content = (release / "backbone").read_bytes()
    (release / "backbone").unlink()
    (release / "backbone").write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=r"backbone: not a file of torch\.save, or damaged"):
        read_release(release, NAMES)
    (release / "segmentation_head3").unlink()
    (release / "arch_cfg.yaml").unlink()
    with pytest.raises(UserError, match=r"release: segmentation_head3, arch_cfg\.yaml missing"):
        read_release(release, NAMES)
    with pytest.raises(UserError, match="nowhere: no such folder"):
        read_release(release / "nowhere", NAMES)


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        (architecture(53), r"arch_cfg\.yaml: says 53 layers, but backbone has the tensors of SqueezeSegV3-21"),
        (
            architecture(21, fov_up="high"),
            r"arch_cfg\.yaml: Expected `float`, got `str` - at `\$\.dataset\.sensor\.fov_up`",
        ),
        (architecture(21, img_means=[1.0]), r"arch_cfg\.yaml: .*img_means"),
        (architecture(21, img_stds=[1, 1, 1, 1, 0]), r"arch_cfg\.yaml: img_stds .* above 0"),
        (architecture(21, img_prop={"width": 100, "height": 64}), r"arch_cfg\.yaml: .*64x100; .*multiple of 8"),
        (architecture(21) | {"backbone": {"OS": 32}}, r"arch_cfg\.yaml: output stride \(OS\) 32"),
        ("nothing", r"arch_cfg\.yaml: Expected `object`"),
    ],
)
def test_wrong_architecture_file(release, arch, message):
    (release / "arch_cfg.yaml").unlink()
    (release / "arch_cfg.yaml").write_text(yaml.safe_dump(arch))
    with pytest.raises(UserError, match=message):
        read_release(release, NAMES)

"""What is written is a model repository by Triton's own published schema."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import onnx
import pytest
from google.protobuf import text_format
from onnx import TensorProto
from tritonclient.grpc import model_config_pb2

from restore_rt.errors import EngineError, InputError, ModelError, OutputError
from restore_rt.export.triton import write_repository
from restore_rt.model import registry as zoo
from restore_rt.model.manifest import read_manifest, write_manifest
from restore_rt.tensorrt.pair import write_engine
from restore_rt.tensorrt.profile import Profile
from restore_rt.tensorrt.sidecar import Port, Sidecar
from tests.networks import nearest, save_model

VIDEO = zoo.path_of("video-x2")


def config_of(folder: Path) -> Any:
    """Parse a configuration by Triton's schema."""
    text = (folder / "config.pbtxt").read_text("utf-8")
    return text_format.Parse(text, model_config_pb2.ModelConfig())


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def engine(path: Path, profile: str, library: str = "tensorrt", **fields: Any) -> Path:
    manifest = read_manifest(onnx.load(VIDEO))
    assert manifest is not None
    plan = b"a plan"
    sidecar = Sidecar(
        onnx_sha256="0" * 64,
        plan_sha256=hashlib.sha256(plan).hexdigest(),
        plan_bytes=len(plan),
        library=library,
        library_version="10.16.1",
        target="sm89",
        gpu=None,
        profile=Profile.parse(profile),
        input=Port("x", "float16", "nchw"),
        output=Port("y", "float16", "nchw"),
        precision="fp16",
        workspace_mib=None,
        timing_cache=False,
        built="2026-11-24T00:00:00Z",
        restore_rt="0.1.0",
        manifest=manifest,
    )
    write_engine(path, plan, dataclasses.replace(sidecar, **fields), overwrite=True)
    return path


def test_a_shipped_model(tmp_path: Path) -> None:
    (folder,) = write_repository([VIDEO], tmp_path / "models")
    assert folder == tmp_path / "models" / "video-x2"
    assert files_in(tmp_path) == ["models/video-x2/1/model.onnx", "models/video-x2/config.pbtxt"]
    assert (folder / "1" / "model.onnx").read_bytes() == VIDEO.read_bytes()
    config = config_of(folder)
    assert config.name == "video-x2"
    assert (config.backend, config.platform) == ("onnxruntime", "onnxruntime_onnx")
    assert config.max_batch_size == 8
    (x,), (y,) = config.input, config.output
    assert (x.name, x.data_type, list(x.dims)) == ("x", model_config_pb2.TYPE_FP32, [1, -1, -1])
    assert (y.name, y.data_type, list(y.dims)) == ("y", model_config_pb2.TYPE_FP32, [1, -1, -1])
    assert config.HasField("dynamic_batching")
    assert config.dynamic_batching.max_queue_delay_microseconds == 0
    (group,) = config.instance_group
    assert (group.count, group.kind) == (1, model_config_pb2.ModelInstanceGroup.KIND_AUTO)
    assert config.version_policy.latest.num_versions == 1
    told = {key: value.string_value for key, value in config.parameters.items()}
    assert told["restore_rt.scale"] == "2"
    assert told["restore_rt.colour"] == "luma"
    assert told["restore_rt.tile"] == "[1104, 1944]"


def test_all_options(tmp_path: Path) -> None:
    (folder,) = write_repository(
        [VIDEO],
        tmp_path,
        name="fast",
        version=7,
        max_batch_size=16,
        preferred_batch_sizes=(4, 16),
        max_queue_delay_us=500,
        instances=2,
        device="gpu",
        gpus=(0, 2),
        versions=(3, 7),
        parameters={"intra_op_thread_count": "4", 'odd "name"\n': "back\\slash é"},
    )
    assert folder.name == "fast"
    assert files_in(folder) == ["7/model.onnx", "config.pbtxt"]
    config = config_of(folder)
    assert config.name == "fast"
    assert config.max_batch_size == 16
    assert list(config.dynamic_batching.preferred_batch_size) == [4, 16]
    assert config.dynamic_batching.max_queue_delay_microseconds == 500
    (group,) = config.instance_group
    assert (group.count, list(group.gpus)) == (2, [0, 2])
    assert group.kind == model_config_pb2.ModelInstanceGroup.KIND_GPU
    assert list(config.version_policy.specific.versions) == [3, 7]
    assert config.parameters["intra_op_thread_count"].string_value == "4"
    assert config.parameters['odd "name"\n'].string_value == "back\\slash é"


def test_no_batching_and_all_versions(tmp_path: Path) -> None:
    options: dict[str, Any] = {"dynamic_batching": False, "versions": "all", "device": "cpu"}
    (folder,) = write_repository([VIDEO], tmp_path, **options)
    config = config_of(folder)
    assert not config.HasField("dynamic_batching")
    assert config.max_batch_size == 8
    assert config.version_policy.WhichOneof("policy_choice") == "all"
    assert config.instance_group[0].kind == model_config_pb2.ModelInstanceGroup.KIND_CPU


def test_a_fixed_batch_is_a_part_of_the_shape(tmp_path: Path) -> None:
    model = save_model(tmp_path / "fixed.onnx", nearest(3, 2), scale=2, size=(1, 24, 32))
    graph = onnx.load(model)
    graph.graph.output[0].type.tensor_type.shape.dim[0].dim_value = 1
    manifest = read_manifest(graph)
    assert manifest is not None
    write_manifest(graph, manifest)
    onnx.save(graph, model)
    (folder,) = write_repository([model], tmp_path / "models")
    config = config_of(folder)
    assert config.max_batch_size == 0
    assert list(config.input[0].dims) == [1, 3, 24, 32]
    assert list(config.output[0].dims) == [1, 3, -1, -1]
    assert not config.HasField("dynamic_batching")
    with pytest.raises(InputError, match="max_batch_size is 4, but fixed takes batches of one"):
        write_repository([model], tmp_path / "other", max_batch_size=4)
    with pytest.raises(InputError, match=r"preferred_batch_sizes is \[2\].* fixed, which is 0"):
        write_repository([model], tmp_path / "other", preferred_batch_sizes=[2])
    with pytest.raises(InputError, match="max_queue_delay_us is 5, but requests for fixed"):
        write_repository([model], tmp_path / "other", max_queue_delay_us=5)
    assert not (tmp_path / "other").exists()


def test_frames_of_bytes(tmp_path: Path) -> None:
    model = onnx.load(save_model(tmp_path / "u8.onnx", nearest(3, 2), scale=2, manifest=False))
    nodes = list(model.graph.node)
    nodes[0].input[0], nodes[-1].output[0] = "planes", "large"
    make = onnx.helper.make_node
    del model.graph.node[:]
    model.graph.node.extend(
        [
            make("Cast", ["x"], ["float"], to=TensorProto.FLOAT),
            make("Transpose", ["float"], ["planes"], perm=[0, 3, 1, 2]),
            *nodes,
            make("Transpose", ["large"], ["back"], perm=[0, 2, 3, 1]),
            make("Cast", ["back"], ["y"], to=TensorProto.UINT8),
        ]
    )
    for value in (model.graph.input[0], model.graph.output[0]):
        sides = ["n", "h" + value.name, "w" + value.name, 3]
        value.CopyFrom(onnx.helper.make_tensor_value_info(value.name, TensorProto.UINT8, sides))
    onnx.save(model, tmp_path / "u8.onnx")
    (folder,) = write_repository([tmp_path / "u8.onnx"], tmp_path / "models")
    config = config_of(folder)
    assert config.name == "u8"
    for tensor in (config.input[0], config.output[0]):
        assert tensor.data_type == model_config_pb2.TYPE_UINT8
        assert list(tensor.dims) == [-1, -1, 3]
    assert not config.parameters


def test_an_engine(tmp_path: Path) -> None:
    path = engine(tmp_path / "a.engine", "1x270x64:2x270x480:4x270x480")
    (folder,) = write_repository([path], tmp_path / "models")
    assert files_in(folder) == ["1/model.plan", "config.pbtxt"]
    assert (folder / "1" / "model.plan").read_bytes() == b"a plan"
    config = config_of(folder)
    assert (config.backend, config.platform) == ("tensorrt", "tensorrt_plan")
    assert config.name == "video-x2"
    assert config.max_batch_size == 4
    assert list(config.input[0].dims) == [1, 270, -1]
    assert list(config.output[0].dims) == [1, 540, -1]
    assert config.input[0].data_type == model_config_pb2.TYPE_FP16
    with pytest.raises(InputError, match=r"max_batch_size is 5, but video-x2 .* up to 4"):
        write_repository([path], tmp_path / "other", max_batch_size=5)
    with pytest.raises(InputError, match="device is 'cpu', but video-x2 is a plan"):
        write_repository([path], tmp_path / "other", device="cpu")

    ports: dict[str, Any] = {
        "input": Port("x", "uint8", "nhwc"),
        "output": Port("y", "uint8", "nhwc"),
    }
    path = engine(tmp_path / "b.engine", "1x270x480", **ports)
    (folder,) = write_repository([path], tmp_path / "fixed")
    config = config_of(folder)
    assert config.max_batch_size == 0
    assert list(config.input[0].dims) == [1, 270, 480, 1]
    assert list(config.output[0].dims) == [1, 540, 960, 1]
    assert config.input[0].data_type == model_config_pb2.TYPE_UINT8


def test_an_engine_that_triton_could_not_load(tmp_path: Path) -> None:
    path = engine(tmp_path / "a.engine", "1x270x480", "rtx")
    with pytest.raises(InputError, match="built by rtx, whose engines Triton does not load"):
        write_repository([path], tmp_path / "models")
    path = engine(tmp_path / "a.engine", "2x64x64:2x64x64:4x64x64")
    with pytest.raises(InputError, match="takes batches of 2 to 4"):
        write_repository([path], tmp_path / "models")
    path.write_bytes(b"a plum")
    with pytest.raises(EngineError, match=r"is not the file that a\.engine\.json describes"):
        write_repository([path], tmp_path / "models")
    (tmp_path / "a.engine.json").write_text("{}")
    with pytest.raises(EngineError, match=r"a\.engine\.json cannot be trusted"):
        write_repository([path], tmp_path / "models")
    (tmp_path / "a.engine.json").unlink()
    with pytest.raises(EngineError, match=r"a\.engine\.json cannot be read: No such file"):
        write_repository([path], tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_versions_lie_beside_each_other(tmp_path: Path) -> None:
    write_repository([VIDEO], tmp_path)
    write_repository([zoo.path_of("comic-x2")], tmp_path)
    write_repository([VIDEO], tmp_path, version=2)
    folder = tmp_path / "video-x2"
    assert files_in(folder) == ["1/model.onnx", "2/model.onnx", "config.pbtxt"]
    config = (folder / "config.pbtxt").read_bytes()
    with pytest.raises(InputError, match=r"video-x2/2 exists; give another version, or --overw"):
        write_repository([VIDEO], tmp_path, version=2)
    # All versions share the configuration.
    with pytest.raises(InputError, match=r"config\.pbtxt differs .* --overwrite"):
        write_repository([VIDEO], tmp_path, version=3, instances=2)
    assert files_in(folder) == ["1/model.onnx", "2/model.onnx", "config.pbtxt"]
    assert (folder / "config.pbtxt").read_bytes() == config

    (folder / "2" / "old").write_text("of the old version")
    write_repository([VIDEO], tmp_path, version=2, instances=2, overwrite=True)
    assert files_in(folder) == ["1/model.onnx", "2/model.onnx", "config.pbtxt"]
    assert config_of(folder).instance_group[0].count == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["comic-x2", "video-x2"]


def test_a_configuration_that_says_the_same_keeps_its_comments(tmp_path: Path) -> None:
    (folder,) = write_repository([VIDEO], tmp_path)
    path = folder / "config.pbtxt"
    text = "# ours\n" + path.read_text("utf-8").replace("max_batch_size: 8", "max_batch_size:8")
    path.write_text(text, "utf-8")
    write_repository([VIDEO], tmp_path, version=2)
    assert path.read_text("utf-8") == text
    path.write_text("no configuration", "utf-8")
    with pytest.raises(InputError, match=r"config\.pbtxt differs"):
        write_repository([VIDEO], tmp_path, version=3)


def test_a_folder_without_a_configuration_gets_one(tmp_path: Path) -> None:
    (tmp_path / "video-x2" / "3").mkdir(parents=True)
    (folder,) = write_repository([VIDEO], tmp_path)
    assert files_in(folder) == ["1/model.onnx", "config.pbtxt"]
    assert (folder / "3").is_dir()


# Two files are copied; the new version, the configuration and what they replace are moved in four
# steps, the new model in one.
@pytest.mark.parametrize(
    ("call", "fails_at"),
    [("copyfile", 1), ("copyfile", 2), *(("rename", step) for step in range(1, 6))],
)
def test_all_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, fails_at: int
) -> None:
    both = [VIDEO, zoo.path_of("comic-x2")]
    write_repository([VIDEO], tmp_path, version=1, instances=1)
    before = {name: (tmp_path / name).read_bytes() for name in files_in(tmp_path)}
    owner: Any = shutil if call == "copyfile" else Path
    real, calls = getattr(owner, call), 0

    def failing(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == fails_at:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*arguments)

    monkeypatch.setattr(owner, call, failing)
    with pytest.raises(OutputError, match="the disk is full"):
        write_repository(both, tmp_path, version=1, instances=2, overwrite=True)
    monkeypatch.undo()
    assert {name: (tmp_path / name).read_bytes() for name in files_in(tmp_path)} == before
    assert [path.name for path in tmp_path.iterdir()] == ["video-x2"]


def test_a_repository_that_could_not_be_made_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "copyfile", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_repository([VIDEO], tmp_path / "models")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"version": 0}, "version is 0; it must be a whole number"),
        ({"version": True}, "version is True"),
        ({"max_batch_size": -1}, "max_batch_size is -1"),
        ({"instances": 0}, "instances is 0; it must be a whole number from 1"),
        ({"max_queue_delay_us": 1.5}, "max_queue_delay_us is 1.5"),
        ({"device": "tpu"}, "device is 'tpu'; allowed are auto, cpu, gpu"),
        ({"gpus": [0]}, r"gpus is \[0\], but device is 'auto'"),
        ({"gpus": [-1], "device": "gpu"}, "a number in gpus is -1"),
        ({"versions": "newest"}, "versions is 'newest'; allowed are latest, all"),
        ({"versions": []}, "versions names none"),
        ({"versions": [0]}, "a number in versions is 0"),
        ({"preferred_batch_sizes": [4, 2]}, "they must rise"),
        ({"preferred_batch_sizes": [9]}, "from 1 to the max_batch_size of video-x2, which is 8"),
        ({"preferred_batch_sizes": [2], "dynamic_batching": False}, "dynamic batching, which is"),
        ({"max_batch_size": 0, "max_queue_delay_us": 5}, "not put together in batches"),
        ({"name": "../evil"}, "'../evil' cannot be the name of a model"),
        ({"name": ".hidden"}, "'.hidden' cannot be the name"),
    ],
)
def test_wrong_options(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        write_repository([VIDEO], tmp_path / "models", **options)
    assert list(tmp_path.iterdir()) == []


def test_wrong_models_and_places(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no model is given"):
        write_repository([], tmp_path)
    with pytest.raises(InputError, match="two models are called 'video-x2'"):
        write_repository([VIDEO, VIDEO], tmp_path)
    with pytest.raises(InputError, match="name is 'a', for 2 models"):
        write_repository([VIDEO, zoo.path_of("comic-x2")], tmp_path, name="a")
    model = onnx.load(VIDEO)
    model.graph.initializer[0].raw_data = bytes(len(model.graph.initializer[0].raw_data))
    onnx.save(model, tmp_path / "damaged.onnx")
    with pytest.raises(ModelError, match=r"the weights in .* are not those"):
        write_repository([tmp_path / "damaged.onnx"], tmp_path)
    with pytest.raises(ModelError, match=r"model\.pt is not an \.onnx file"):
        write_repository([tmp_path / "model.pt"], tmp_path)
    with pytest.raises(OutputError, match="its folder does not exist"):
        write_repository([VIDEO], tmp_path / "no" / "models")
    (tmp_path / "video-x2").write_text("a file")
    with pytest.raises(InputError, match="video-x2: it is a file, not a folder"):
        write_repository([VIDEO], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["damaged.onnx", "video-x2"]


def test_neither_torch_nor_onnxruntime_is_needed(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "for name in ('torch', 'onnxruntime'):\n"
        "    sys.modules[name] = None\n"
        "from pathlib import Path\n"
        "from restore_rt.export.triton import write_repository\n"
        f"write_repository([Path({str(VIDEO)!r})], Path({str(tmp_path)!r}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert config_of(tmp_path / "video-x2").max_batch_size == 8

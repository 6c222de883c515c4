from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import restore_rt
from restore_rt import Planes
from restore_rt.errors import InputError
from restore_rt.vapoursynth import restore
from tests.networks import MakeModel, nearest
from tests.pixels import random_frame

vs = pytest.importorskip(
    "vapoursynth", reason="VapourSynth is not installed: `make test-vapoursynth` runs these tests"
)
core = vs.core

WIDTH, HEIGHT, FRAMES = 44, 36, 5
LUMA = "video-x2-fast"


@pytest.fixture(autouse=True)
def plugins() -> Iterator[None]:
    """Let several frames be in work, however few cores there are."""
    before = core.num_threads
    core.num_threads = 4
    yield
    core.num_threads = before


def arrays(frame: Any) -> list[NDArray[Any]]:
    return [np.array(plane) for plane in frame]


def noise(name: str, **props: Any) -> Any:
    """Return a clip of random frames, all different."""
    blank = core.std.BlankClip(
        format=getattr(vs, name),
        width=WIDTH,
        height=HEIGHT,
        length=FRAMES,
        fpsnum=24000,
        fpsden=1001,
        keep=True,
    )

    def fill(n: int, f: Any) -> Any:
        rng = np.random.default_rng(n)
        made = f.copy()
        for plane in made:
            out = np.asarray(plane)
            if out.dtype == np.float32:
                out[...] = rng.random(out.shape, np.float32)
            else:
                out[...] = rng.integers(0, 1 << f.format.bits_per_sample, out.shape, out.dtype)
        return made

    clip = core.std.ModifyFrame(blank, clips=blank, selector=fill)
    return core.std.SetFrameProps(clip, **props) if props else clip


def planes(frame: Any, siting: Any = "left") -> Planes:
    y, *chroma = arrays(frame)
    cb, cr = chroma if chroma else (None, None)
    return Planes(y, cb, cr, bit_depth=frame.format.bits_per_sample, siting=siting)


def same(made: Any, wanted: Planes) -> bool:
    expected = [plane for plane in (wanted.y, wanted.cb, wanted.cr) if plane is not None]
    return all(map(np.array_equal, arrays(made), expected)) and len(made) == len(expected)


@pytest.mark.parametrize("workers", [1, 3, 8])
def test_frames_come_in_order_whatever_the_number_of_workers(workers: int) -> None:
    clip = noise("YUV420P8")
    restored = restore(clip, LUMA, workers=workers)
    assert (restored.num_frames, restored.fps) == (clip.num_frames, clip.fps)
    assert (restored.width, restored.height) == (2 * WIDTH, 2 * HEIGHT)
    assert restored.format == clip.format
    with restore_rt.load(LUMA) as restorer:
        for source, made in zip(clip.frames(), restored.frames(), strict=True):
            assert same(made, restorer(planes(source)))


@pytest.mark.parametrize(
    "name", ["GRAY8", "GRAY10", "GRAY16", "YUV420P10", "YUV422P8", "YUV422P12", "YUV444P16"]
)
def test_a_luma_model_takes_each_layout_and_depth(name: str) -> None:
    clip = noise(name)
    made = restore(clip, LUMA).get_frame(1)
    with restore_rt.load(LUMA) as restorer:
        assert same(made, restorer(planes(clip.get_frame(1))))


@pytest.mark.parametrize(("name", "fewer"), [("YUV411P8", "YUV422P8"), ("YUV410P16", "YUV420P16")])
@pytest.mark.parametrize("location", [0, 1])
def test_rarer_chroma_comes_back_in_its_own_format(name: str, fewer: str, location: int) -> None:
    clip = noise(name, _ChromaLocation=location)
    restored = restore(clip, LUMA)
    made = restored.get_frame(1)
    assert restored.format.name == name
    assert made.props["_ChromaLocation"] == location
    by_hand = core.resize.Bicubic(clip, format=getattr(vs, fewer))
    with restore_rt.load(LUMA) as restorer:
        siting = ("left", "center")[location]
        wanted = restorer(planes(by_hand.get_frame(1), siting))
    assert np.array_equal(arrays(made)[0], wanted.y)
    assert wanted.cb is not None
    # Chroma is what reducing the enlarged one gives: nearer to it than to the mean.
    across = wanted.cb.shape[1] // made[1].shape[1]
    down = wanted.cb.shape[0] // made[1].shape[0]
    near = wanted.cb[::down, ::across].astype(float).ravel()
    assert np.corrcoef(near, arrays(made)[1].astype(float).ravel())[0, 1] > 0.5


def test_440_comes_back_in_its_own_format() -> None:
    clip = noise("YUV440P8")
    restored = restore(clip, LUMA)
    assert restored.format.name == "YUV440P8"
    with restore_rt.load(LUMA) as restorer:
        wanted = restorer(Planes(arrays(clip.get_frame(0))[0]))
    assert np.array_equal(arrays(restored.get_frame(0))[0], wanted.y)


@pytest.mark.parametrize("name", ["RGB24", "RGB48", "RGBS"])
@pytest.mark.parametrize("colour", ["luma", "rgb"])
def test_planar_rgb(name: str, colour: str, make_model: MakeModel) -> None:
    mixing = np.random.default_rng(0).random((12, 3, 3, 3)) / 27
    path = LUMA if colour == "luma" else make_model([mixing], scale=2)
    clip = noise(name)
    made = arrays(restore(clip, path).get_frame(2))
    with restore_rt.load(path) as restorer:
        wanted = restorer(np.dstack(arrays(clip.get_frame(2))))
    for channel in range(3):
        assert np.array_equal(made[channel], wanted[..., channel])


def test_the_scale_is_the_models(make_model: MakeModel) -> None:
    path = make_model(nearest(1, 3), scale=3)
    clip = noise("GRAY8")
    made = arrays(restore(clip, path).get_frame(0))[0]
    assert np.array_equal(made, arrays(clip.get_frame(0))[0].repeat(3, 0).repeat(3, 1))


def test_properties_are_kept() -> None:
    props = {"_Matrix": 5, "_Range": 1, "_Primaries": 5, "_SARNum": 12, "_SARDen": 11, "own": "x"}
    clip = noise("YUV420P8", **props, _ChromaLocation=2)
    for source, made in zip(clip.frames(), restore(clip, LUMA).frames(), strict=True):
        assert dict(made.props) == dict(source.props)
        assert made.props["_DurationNum"] == 1001
        assert made.props["own"] == "x"


@pytest.mark.parametrize(
    ("size", "set_to", "given", "expected"),
    [
        ((44, 36), None, None, None),  # BT.601 before and after
        ((720, 576), None, None, 6),  # players would take the large one for BT.709
        ((640, 360), 2, None, 6),
        ((640, 360), 1, None, 1),
        ((1280, 36), None, None, None),
        ((44, 36), None, 9, 9),
        ((44, 36), 1, 9, 1),
    ],
)
def test_the_matrix_that_players_assume_is_kept(
    make_model: MakeModel,
    size: tuple[int, int],
    set_to: int | None,
    given: int | None,
    expected: int | None,
) -> None:
    clip = core.std.BlankClip(format=vs.YUV420P8, width=size[0], height=size[1], length=1)
    if set_to is not None:
        clip = core.std.SetFrameProps(clip, _Matrix=set_to)
    path = make_model(nearest(1, 2), scale=2)
    assert restore(clip, path, matrix=given).get_frame(0).props.get("_Matrix") == expected


@pytest.mark.parametrize(
    ("name", "location", "siting"),
    [
        ("YUV420P8", 0, "left"),
        ("YUV420P8", 1, "center"),
        ("YUV420P8", 2, "topleft"),
        ("YUV422P8", 2, "left"),
        ("YUV422P8", 3, "center"),
        ("YUV422P8", 4, "left"),
        ("YUV422P8", 5, "center"),
        ("YUV444P8", 5, "center"),
    ],
)
def test_chroma_lies_where_its_property_says(name: str, location: int, siting: str) -> None:
    clip = noise(name, _ChromaLocation=location)
    with restore_rt.load(LUMA) as restorer:
        wanted = restorer(planes(clip.get_frame(0), siting))
    assert same(restore(clip, LUMA).get_frame(0), wanted)


@pytest.mark.parametrize(
    ("props", "said"),
    [
        ({"_ChromaLocation": 3}, r"_ChromaLocation is 3 \(top\).*chromaloc=0"),
        ({"_ChromaLocation": 4}, r"_ChromaLocation is 4 \(bottom_left\)"),
        ({"_FieldBased": 2}, r"_FieldBased is 2.*SetFieldBased\(clip, 0\)"),
    ],
)
def test_frames_that_cannot_be_restored_say_so(props: dict[str, int], said: str) -> None:
    restored = restore(noise("YUV420P8", **props), LUMA)
    with pytest.raises(vs.Error, match=said):
        restored.get_frame(0)


@pytest.mark.parametrize(
    ("name", "model", "said"),
    [
        ("YUV444PS", LUMA, "YUV444PS, .* whole numbers in 8 to 16 bits.*vs.YUV420P8"),
        ("GRAYS", LUMA, "GrayS, .* whole numbers in 8 to 16 bits.*vs.GRAY16"),
        ("GRAY32", LUMA, "Gray32, .* whole numbers in 8 to 16 bits"),
        ("RGB30", LUMA, "RGB30, .* takes RGB24, RGB48 and RGBS: .*vs.RGB48"),
        ("YUV420P8", "photo-x2", "YUV420P8, .* is an RGB model.*vs.RGB24"),
        ("GRAY8", "photo-x2", "Gray8, .* is an RGB model"),
        ("RGB30", "photo-x2", "RGB30, .* takes RGB24, RGB48 and RGBS: .*vs.RGB48"),
        ("RGBH", "photo-x2", "RGBH, .* takes RGB24, RGB48 and RGBS"),
    ],
)
def test_a_format_that_the_model_cannot_take_says_what_to_convert(
    name: str, model: str, said: str
) -> None:
    clip = core.std.BlankClip(format=getattr(vs, name), width=64, height=48, length=1)
    with pytest.raises(InputError, match=said):
        restore(clip, model)


def test_each_conversion_that_an_error_names_works() -> None:
    for name, model in (
        ("YUV444PS", LUMA),
        ("GRAYS", LUMA),
        ("RGB30", LUMA),
        ("RGB30", "photo-x2"),
        ("YUV420P8", "photo-x2"),
    ):
        clip = core.std.BlankClip(format=getattr(vs, name), width=64, height=48, length=1)
        with pytest.raises(InputError) as caught:
            restore(clip, model)
        call = str(caught.value).partition("convert it with ")[2].partition(", or the")[0]
        converted = eval(call, {"core": core, "vs": vs, "clip": clip})
        assert restore(converted, model).get_frame(0).width == 128


def test_a_clip_whose_size_or_format_changes_is_refused() -> None:
    small = core.std.BlankClip(format=vs.YUV420P8, width=64, height=48, length=1)
    for other in ({"width": 32, "height": 32}, {"format": vs.YUV444P8}):
        varying = core.std.Splice([small, core.std.BlankClip(small, **other)], mismatch=True)
        with pytest.raises(InputError, match="must be constant"):
            restore(varying, LUMA)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"workers": 0}, "workers is 0"),
        ({"workers": True}, "workers is True"),
        ({"threads": 0}, "threads is 0"),
        ({"matrix": 0}, "matrix is 0"),
        ({"matrix": 2}, "matrix is 2"),
        ({"device": "gpu"}, "device is 'gpu'"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        restore(noise("GRAY8"), LUMA, **options)


def test_several_frames_are_in_work_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    meeting = threading.Barrier(3)

    def wait(frame: Planes, *, out: Planes) -> None:
        meeting.wait(timeout=60)  # passes when three frames are here
        out.y[...] = 7

    given: dict[str, Any] = {}

    def load(model: str, **options: Any) -> Any:
        given.update(options)
        manifest = SimpleNamespace(colour="luma", name=model)
        wait_for: Callable[..., None] = wait

        class Waiting:
            scale = 2

            def __init__(self) -> None:
                self.manifest = manifest

            def __call__(self, *frames: Planes, **outs: Planes) -> None:
                wait_for(*frames, **outs)

        return Waiting()

    monkeypatch.setattr("restore_rt.vapoursynth.load", load)
    clip = core.std.BlankClip(format=vs.GRAY8, width=8, height=8, length=6)
    frames = list(restore(clip, workers=3, threads=7).frames(prefetch=3))
    assert len(frames) == 6
    assert given["threads"] == 2


def test_vspipe_writes_a_restored_script(tmp_path: Path, rng: np.random.Generator) -> None:
    environment = os.environ | {
        "XDG_CONFIG_HOME": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    subprocess.run(
        [sys.executable, "-m", "vapoursynth", "config"],
        env=environment,
        check=True,
        capture_output=True,
    )
    luma = random_frame(rng, (HEIGHT, WIDTH), np.uint8)
    np.save(tmp_path / "luma.npy", luma)
    script = tmp_path / "script.vpy"
    script.write_text(
        "import numpy as np\n"
        "import vapoursynth as vs\n"
        "from restore_rt.vapoursynth import restore\n"
        f"luma = np.load({str(tmp_path / 'luma.npy')!r})\n"
        "def fill(n, f):\n"
        "    made = f.copy()\n"
        "    np.asarray(made[0])[...] = np.roll(luma, n, 1)\n"
        "    return made\n"
        f"clip = vs.core.std.BlankClip(format=vs.GRAY8, width={WIDTH}, height={HEIGHT}, length=7)\n"
        "clip = vs.core.std.ModifyFrame(clip, clip, fill)\n"
        f"restore(clip, {LUMA!r}, workers=2).set_output()\n"
    )
    vspipe = Path(vs.__file__).with_name("vspipe")
    run = subprocess.run([vspipe, script, "-"], env=environment, capture_output=True)
    assert run.returncode == 0, run.stderr.decode()
    made = np.frombuffer(run.stdout, np.uint8).reshape(7, 2 * HEIGHT, 2 * WIDTH)
    with restore_rt.load(LUMA) as restorer:
        for number, frame in enumerate(made):
            assert np.array_equal(frame, restorer(Planes(np.roll(luma, number, 1))).y)

"""ONNX Runtime on a GPU: its CUDA and its TensorRT provider, over tiles in device memory."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from restore_rt.cache import make_cache_folder
from restore_rt.errors import BackendError
from restore_rt.gpu.library import PROVIDER_NAMES, import_onnxruntime_gpu
from restore_rt.gpu.tiles import check_arrays, tile_dtype
from restore_rt.model.graph import inputs_of
from restore_rt.model.precision import precision_of
from restore_rt.progress import Progress, silent
from restore_rt.tiled.session import Sessions, Shape

if TYPE_CHECKING:
    import onnx

    from restore_rt.gpu.array import DeviceArray
    from restore_rt.gpu.driver import Device, Stream
    from restore_rt.gpu.memory import Pool
    from restore_rt.model.manifest import Manifest

__all__ = ["OnnxRuntimeDeviceBackend"]

_MOST_NODES_NAMED = 5
# Each captured graph keeps what it was captured with; more pairs of arrays run without.
_GRAPHS_KEPT = 4
_NO_GRAPH = "-1"


class OnnxRuntimeDeviceBackend(Sessions):
    """A network in ONNX Runtime on a GPU; see ``DeviceBackend``.

    Each shape has its own session, as on the CPU: a session plans its memory and selects algorithms
    for one shape, and frees its memory when closed. One session with dynamic shapes would save a
    few MB of weights, but keep memory for the largest shape.

    Parameters
    ----------
    model, manifest, provider, device, stream, pool, threads, progress, allow_cpu_nodes
        See ``open_device_backend``.
    cache
        Folder for the TensorRT provider's engines; created if missing.
    graphs
        Let the provider capture a CUDA graph for each pair of arrays. The provider captures once
        per thread, in three runs; meanwhile no other thread of the process may allocate device
        memory or synchronise. Use it only if a single thread of the process uses the GPU.

    Raises
    ------
    BackendError
        A library is missing, or tiles cannot have the network's types.
    """

    # Work on the host that a run queues would be captured, too, and happen at each launch.
    capturable = False
    # Full batches and the last one of two frame sizes that take turns.
    kept = 4

    def __init__(
        self,
        model: onnx.ModelProto,
        manifest: Manifest,
        *,
        provider: str,
        device: Device,
        stream: Stream,
        pool: Pool,
        threads: int,
        cache: Path,
        progress: Progress = silent,
        allow_cpu_nodes: bool = False,
        graphs: bool = False,
    ) -> None:
        library = import_onnxruntime_gpu(provider)
        super().__init__(library, model, threads=threads)
        self._provider = provider
        # TensorRT runs the network then, whichever library called it.
        self.name = "tensorrt" if provider == "tensorrt" else "onnxruntime"
        self.dtype = tile_dtype(model, manifest)
        self.place = ("cuda", device.index)
        self._manifest, self._gpu = manifest, device
        self._stream, self._pool = stream, pool
        self._cache, self._progress = cache, progress
        self._allow_cpu_nodes, self._graphs = allow_cpu_nodes, graphs
        self._precision = precision_of(model)
        self._digest = hashlib.sha256(self._blob).hexdigest()
        self._named_input = inputs_of(model)[0].name
        self._graph_ids: dict[tuple[Shape, int, int], str] = {}
        self._numbers = itertools.count(1)
        self._options: dict[str, Any] = {}
        title = {"cuda": "CUDA", "tensorrt": "TensorRT"}[provider]
        self.description = (
            f"ONNX Runtime {library.__version__}, {title} on {device.name}, {self._precision}"
        )

    def prepare(self, shape: tuple[int, int, int, int]) -> None:
        """Open a session and run it once; see ``DeviceBackend.prepare``."""
        if shape in self._sessions:
            return
        count, channels, height, width = shape
        scale = self._manifest.scale
        with self._gpu.active():
            if len(self._sessions) >= self.kept:
                # One of them has to go, and its memory may be in use.
                self._stream.synchronize()
            try:
                self._opened(shape)
                # The first run finds algorithms and takes memory.
                tiles = self._pool.empty(shape, self.dtype)
                out = self._pool.empty((count, channels, height * scale, width * scale), self.dtype)
                self._run(tiles, out, once=True)
                self._stream.synchronize()
            except BaseException:
                self._forget(shape)
                raise

    def enqueue(self, tiles: DeviceArray, out: DeviceArray) -> None:
        """Queue a run; see ``DeviceBackend.enqueue``."""
        if tiles.shape not in self._sessions:
            count, channels, height, width = tiles.shape
            self.prepare((count, channels, height, width))
        with self._gpu.active():
            self._run(tiles, out)

    def release(self, shape: tuple[int, int, int, int] | None = None) -> None:
        """Release sessions and their memory, when their work is done."""
        if not self._sessions:
            return
        with self._gpu.active():
            self._stream.synchronize()
            if shape is None:
                super().release()
            else:
                self._forget(shape)

    def _forget(self, shape: Shape) -> None:
        super()._forget(shape)
        self._graph_ids = {key: name for key, name in self._graph_ids.items() if key[0] != shape}

    def _run(self, tiles: DeviceArray, out: DeviceArray, *, once: bool = False) -> None:
        opened = self._opened(tiles.shape)
        addresses = (tiles.pointer, out.pointer)
        if addresses not in opened.bindings:
            check_arrays(tiles, out, dtype=self.dtype, scale=self._manifest.scale)
        binding = self._bind(opened, tiles.shape, out.shape, addresses)
        tiles.used_on(self._stream)
        out.used_on(self._stream)
        options = self._run_options(_NO_GRAPH if once else self._graph_of(tiles, addresses))
        try:
            opened.session.run_with_iobinding(binding, options)
        except Exception as error:
            raise self._translated(error, tiles.shape) from error
        finally:
            if once:
                # Those arrays are gone when this returns.
                opened.bindings.pop(addresses, None)

    def _graph_of(self, tiles: DeviceArray, addresses: tuple[int, int]) -> str:
        """Return the name of the graph for these arrays."""
        key = (tiles.shape, *addresses)
        if self._graphs and key not in self._graph_ids and len(self._graph_ids) < _GRAPHS_KEPT:
            self._graph_ids[key] = str(next(self._numbers))
        return self._graph_ids.get(key, _NO_GRAPH)

    def _run_options(self, graph: str) -> Any:
        options = self._options.get(graph)
        if options is None:
            options = self._library.RunOptions()
            options.log_severity_level = 4
            # Who needs the result waits for it; the stream orders all else.
            options.add_run_config_entry("disable_synchronize_execution_providers", "1")
            if self._graphs:
                options.add_run_config_entry("gpu_graph_id", graph)
            self._options[graph] = options
        return options

    def _entries(self) -> dict[str, str]:
        if self._allow_cpu_nodes:
            return {}
        if _tells_placement(self._library):
            return {"session.record_ep_graph_assignment_info": "1"}
        # Older versions refuse without saying what it is about.
        return {"session.disable_cpu_ep_fallback": "1"}

    def _providers(self, shape: Shape) -> list[tuple[str, dict[str, str]]]:
        cuda = (PROVIDER_NAMES["cuda"], self._cuda_options())
        if self._provider == "cuda":
            return [cuda]
        # What TensorRT does not take goes to CUDA.
        return [(PROVIDER_NAMES["tensorrt"], self._tensorrt_options(shape)), cuda]

    def _fixed_sizes(self, shape: Shape) -> dict[str, int]:
        # The TensorRT provider is told by a profile, which wants dimensions to be dynamic.
        return super()._fixed_sizes(shape) if self._provider == "cuda" else {}

    def _cuda_options(self) -> dict[str, str]:
        options = {
            "device_id": str(self._gpu.index),
            "user_compute_stream": str(self._stream.handle),
            "do_copy_in_default_stream": "1",
            "arena_extend_strategy": "kSameAsRequested",
            # The same choice in all sessions of a network, whose results then are the same; and
            # cuDNN's thorough search is known to fail on some GPUs.
            "cudnn_conv_algo_search": "HEURISTIC",
            # It rounds what is multiplied to 10 bits; who wants that wants fp16.
            "use_tf32": "0",
        }
        if self._graphs and self._provider == "cuda":
            options["enable_cuda_graph"] = "1"
        return options

    def _tensorrt_options(self, shape: Shape) -> dict[str, str]:
        extent = f"{self._named_input}:{'x'.join(map(str, shape))}"
        name = f"{self._manifest.name}-{self._digest[:16]}-{'x'.join(map(str, shape))}"
        options = {
            "device_id": str(self._gpu.index),
            "user_compute_stream": str(self._stream.handle),
            "trt_fp16_enable": "1" if self._precision == "fp16" else "0",
            # Without all three it builds again, in the middle of a run, when a shape is new.
            "trt_profile_min_shapes": extent,
            "trt_profile_opt_shapes": extent,
            "trt_profile_max_shapes": extent,
            "trt_engine_cache_enable": "1",
            "trt_engine_cache_path": str(self._cache),
            "trt_engine_cache_prefix": name,
            "trt_timing_cache_enable": "1",
            "trt_timing_cache_path": str(self._cache),
        }
        if self._graphs:
            options["trt_cuda_graph_enable"] = "1"
        return options

    def _create(self, shape: Shape) -> Any:
        if self._provider == "tensorrt":
            make_cache_folder(self._cache)
            with self._progress(f"building {self._manifest.name} for {self._gpu.name}"):
                session = super()._create(shape)
        else:
            session = super()._create(shape)
        self._check_placement(session)
        return session

    def _translated(self, error: Exception, shape: Shape) -> BackendError:
        if "fallback to CPU EP has been explicitly disabled" in str(error):
            return BackendError(
                f"ONNX Runtime would run parts of {self._manifest.name} on the CPU, and "
                "allow_cpu_nodes is False: export the model with operators that run on the GPU, or "
                "use device='cpu' (ONNX Runtime 1.32 or later tells which they are)"
            )
        return super()._translated(error, shape)

    def _check_placement(self, session: Any) -> None:
        """Refuse a session that would silently run on a slower device."""
        wanted, there = PROVIDER_NAMES[self._provider], session.get_providers()
        if wanted not in there:
            raise BackendError(
                f"ONNX Runtime's {wanted} did not start, and it would use "
                f"{', '.join(there)}: see what it printed, whether nvidia-smi works, and whether "
                "the driver is new enough for the CUDA libraries; restore-rt doctor tells more"
            )
        if self._allow_cpu_nodes or not _tells_placement(self._library):
            return
        placed: dict[str, list[Any]] = {}
        for part in session.get_provider_graph_assignment_info():
            placed.setdefault(part.ep_name, []).extend(part.get_nodes())
        ours = PROVIDER_NAMES.values()
        strangers = [node for name in placed if name not in ours for node in placed[name]]
        if strangers:
            raise self._misplaced(strangers)
        if self._provider == "tensorrt" and wanted not in placed:
            raise BackendError(
                f"TensorRT takes no part of {self._manifest.name}, all of which would run on CUDA: "
                "use backend='onnxruntime'"
            )

    def _misplaced(self, nodes: list[Any]) -> BackendError:
        kinds = Counter(node.op_type for node in nodes)
        shown = [f"{node.name or 'without a name'} ({node.op_type})" for node in nodes]
        more = len(shown) - _MOST_NODES_NAMED
        listed = ", ".join(shown[:_MOST_NODES_NAMED]) + (f" and {more} more" if more > 0 else "")
        return BackendError(
            f"{self._manifest.name} has {len(nodes)} nodes that ONNX Runtime would run on the CPU, "
            f"and allow_cpu_nodes is False: {listed}; export the model without "
            f"{', '.join(sorted(kinds))} at these places, or use device='cpu'"
        )


def _tells_placement(library: Any) -> bool:
    return hasattr(library.InferenceSession, "get_provider_graph_assignment_info")

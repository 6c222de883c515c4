"""A hundred damaged copies of a model's file, the same ones every time."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from functools import partial

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from restore_rt.model.manifest import read_manifest, weights_sha256, write_manifest

Change = Callable[[onnx.ModelProto], None]
HUGE = 2**40


def damaged_copies(source: bytes) -> dict[str, bytes]:
    """Return the copies of a network of convolutions, by what was done to them."""
    copies = {
        **_flipped(source),
        **{f"cut to {length}": source[:length] for length in _lengths(source)},
        "a name is no text": source.replace(b"layers.3.weight", b"layers.3.we\xffght"),
        "a key is no text": source.replace(b"restore_rt.halo", b"restore_rt.\xffalo"),
    }
    for name, change in {**_described(), **_shaped()}.items():
        model = onnx.load_model_from_string(source)
        change(model)
        copies[name] = bytes(model.SerializeToString())
    for name, change in {**_rewired(), **_attributes(), **_inserted(), **_absurd()}.items():
        model = onnx.load_model_from_string(source)
        change(model)
        copies[name] = _sealed(model)
    return copies


def _sealed(model: onnx.ModelProto) -> bytes:
    """Let the checksum be right, so that what comes after it is put to the test."""
    manifest = read_manifest(model)
    assert manifest is not None
    try:
        checksum = weights_sha256(model)
    except Exception:
        return bytes(model.SerializeToString())
    write_manifest(model, dataclasses.replace(manifest, sha256=checksum))
    return bytes(model.SerializeToString())


def _lengths(source: bytes) -> list[int]:
    size = len(source)
    return [0, 1, 7, 100, size // 4, size // 2, 3 * size // 4, size - 3000, size - 100, size - 1]


def _flipped(source: bytes) -> dict[str, bytes]:
    rng = random.Random(5)
    weights: set[int] = set()
    for tensor in onnx.load_model_from_string(source).graph.initializer:
        begin = source.index(tensor.raw_data)
        weights.update(range(begin, begin + len(tensor.raw_data)))
    structure = sorted(set(range(len(source))) - weights)
    copies = {}
    for where, places, count in (("all", range(len(source)), 10), ("graph", structure, 8)):
        for number in range(count):
            damaged = bytearray(source)
            for _ in range(1 + number % 3):
                damaged[rng.choice(places)] ^= 1 << rng.randrange(8)
            copies[f"flipped in {where}, {number}"] = bytes(damaged)
    return copies


def _described() -> dict[str, Change]:
    def remove(model: onnx.ModelProto, key: str = "") -> None:
        kept = [entry for entry in model.metadata_props if key not in entry.key]
        del model.metadata_props[:]
        model.metadata_props.extend(kept)

    def say(model: onnx.ModelProto, key: str, text: str) -> None:
        remove(model, key)
        model.metadata_props.add(key=f"restore_rt.{key}", value=text)

    def twice(model: onnx.ModelProto) -> None:
        model.metadata_props.append(model.metadata_props[0])

    texts = {
        "sha256": "0" * 64,
        "scale": "3",
        "colour": "rgb",
        "tile": "[" * 100_000,
        "schema": "99",
        "metrics": '{"psnr": NaN}',
        "halo": "9" * 5000,
        "value_range": "[0, 1e999]",
    }
    return {
        "no manifest": remove,
        "no licence": partial(remove, key="licence"),
        "an entry twice": twice,
        **{f"{key} is {text[:8]}": partial(say, key=key, text=text) for key, text in texts.items()},
    }


def _shaped() -> dict[str, Change]:
    def weight(model: onnx.ModelProto, change: Callable[[TensorProto], object]) -> None:
        change(model.graph.initializer[2])

    def dims(tensor: TensorProto, sides: list[int]) -> None:
        tensor.dims[:] = sides

    def data(tensor: TensorProto, scale: float) -> None:
        size = int(scale * len(tensor.raw_data))
        tensor.raw_data = (2 * tensor.raw_data)[:size]

    def external(tensor: TensorProto, place: str) -> None:
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=place)

    def port(model: onnx.ModelProto, axis: int, side: int, name: str = "input") -> None:
        getattr(model.graph, name)[0].type.tensor_type.shape.dim[axis].dim_value = side

    def square(model: onnx.ModelProto) -> None:
        port(model, 2, 2**15)
        port(model, 3, 2**15)

    def flat(model: onnx.ModelProto) -> None:
        del model.graph.input[0].type.tensor_type.shape.dim[3]

    changes: dict[str, Callable[[TensorProto], object]] = {
        "huge side": partial(dims, sides=[HUGE, 16, 3, 3]),
        "huge empty sides": partial(dims, sides=[2**30, 2**30, 0]),
        "negative side": partial(dims, sides=[-1, 16, 3, 3]),
        "sides swapped": partial(dims, sides=[3, 3, 16, 16]),
        "half of the data": partial(data, scale=0.5),
        "twice the data": partial(data, scale=2),
        "no data": lambda tensor: tensor.ClearField("raw_data"),
        "half precision": lambda tensor: setattr(tensor, "data_type", TensorProto.FLOAT16),
        "no such type": lambda tensor: setattr(tensor, "data_type", 77),
        "data in /etc/passwd": partial(external, place="/etc/passwd"),
        "data beside it": partial(external, place="../model.data"),
    }
    return {
        **{f"weights: {name}": partial(weight, change=item) for name, item in changes.items()},
        "input of 2^40 rows": partial(port, axis=2, side=HUGE),
        "input of 2^15 x 2^15": square,
        "input of 3 channels": partial(port, axis=1, side=3),
        "input of 2^40 pictures": partial(port, axis=0, side=HUGE),
        "input of 3 sides": flat,
        "output of 2^40 rows": partial(port, axis=2, side=HUGE, name="output"),
    }


def _find(model: onnx.ModelProto, operator: str, number: int = 0) -> onnx.NodeProto:
    nodes: list[onnx.NodeProto] = [node for node in model.graph.node if node.op_type == operator]
    return nodes[number]


def _rewired() -> dict[str, Change]:
    def read(model: onnx.ModelProto, place: int, name: str) -> None:
        _find(model, "Conv", 1).input[place] = name

    def become(model: onnx.ModelProto, old: str, new: str, domain: str = "") -> None:
        node = _find(model, old)
        node.op_type, node.domain = new, domain

    def itself(model: onnx.ModelProto) -> None:
        read(model, 0, _find(model, "Conv", 1).output[0])

    def cycle(model: onnx.ModelProto) -> None:
        read(model, 0, _find(model, "Conv", 4).output[0])

    def same_name(model: onnx.ModelProto) -> None:
        _find(model, "Conv", 1).output[0] = _find(model, "Conv", 0).output[0]

    def same_weight(model: onnx.ModelProto) -> None:
        model.graph.initializer[3].name = model.graph.initializer[1].name

    return {
        "reads what is not there": partial(read, place=0, name="nothing"),
        "reads no weights": partial(read, place=1, name=""),
        "reads others' weights": partial(read, place=1, name="layers.2.weight"),
        "reads itself": itself,
        "reads what comes later": cycle,
        "two results of one name": same_name,
        "two weights of one name": same_weight,
        "Conv becomes ConvTranspose": partial(become, old="Conv", new="ConvTranspose"),
        "Conv becomes Gemm": partial(become, old="Conv", new="Gemm"),
        "Relu becomes Frobnicate": partial(become, old="Relu", new="Frobnicate"),
        "Relu becomes another's": partial(become, old="Relu", new="Relu", domain="elsewhere"),
        "Relu becomes Shape": partial(become, old="Relu", new="Shape"),
        "Relu becomes Sigmoid": partial(become, old="Relu", new="Sigmoid"),
        "DepthToSpace becomes its inverse": partial(become, old="DepthToSpace", new="SpaceToDepth"),
    }


def _attributes() -> dict[str, Change]:
    def change(model: onnx.ModelProto, operator: str, name: str, value: int) -> None:
        for attribute in _find(model, operator, -1).attribute:
            if attribute.name == name:
                if attribute.type == onnx.AttributeProto.INT:
                    attribute.i = value
                attribute.ints[:] = [value] * len(attribute.ints)

    values = {
        "pads": (10**4, HUGE, -5),
        "strides": (1000, HUGE),
        "dilations": (2**31,),
        "group": (HUGE,),
        "kernel_shape": (2**31,),
    }
    changes: dict[str, Change] = {
        f"{name} {value}": partial(change, operator="Conv", name=name, value=value)
        for name, of_name in values.items()
        for value in of_name
    }
    for value in (2**20, HUGE):
        changes[f"blocksize {value}"] = partial(
            change, operator="DepthToSpace", name="blocksize", value=value
        )
    return changes


def _after(model: onnx.ModelProto, operator: str, *inputs: str) -> None:
    """Put a node behind the third convolution."""
    conv = _find(model, "Conv", 2)
    name, conv.output[0] = conv.output[0], "before"
    place = list(model.graph.node).index(conv) + 1
    model.graph.node.insert(place, helper.make_node(operator, ["before", *inputs], [name]))


def _numbers(model: onnx.ModelProto, name: str, *values: float, kind: str = "int64") -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.array(values, kind), name))


def _inserted() -> dict[str, Change]:
    def shaped(model: onnx.ModelProto, operator: str, values: tuple[float, ...]) -> None:
        _numbers(model, "values", *values)
        _after(model, operator, "values")

    def resize(model: onnx.ModelProto) -> None:
        _numbers(model, "values", 1, 1, 1e4, 1e4, kind="float32")
        _after(model, "Resize", "", "values")

    def of_shape(model: onnx.ModelProto) -> None:
        _numbers(model, "values", 10**5, 10**5)
        model.graph.node.insert(0, helper.make_node("ConstantOfShape", ["values"], ["large"]))
        model.graph.node.insert(1, helper.make_node("ReduceSum", ["large"], ["sum"], keepdims=0))
        _after(model, "Add", "sum")

    def counted(model: onnx.ModelProto) -> None:
        for name, value in (("first", 0), ("end", HUGE), ("step", 1)):
            tensor = numpy_helper.from_array(np.array(value, np.int64), name)
            model.graph.initializer.append(tensor)
        node = helper.make_node("Range", ["first", "end", "step"], ["large"])
        model.graph.node.insert(0, node)

    return {
        "Tile 10^6 times": partial(shaped, operator="Tile", values=(10**6, 1, 1, 1)),
        "Expand to 2^40": partial(shaped, operator="Expand", values=(HUGE, 16, 1, 1)),
        "Pad by 10^5": partial(shaped, operator="Pad", values=(0, 0, 10**5, 0, 0, 0, 10**5, 0)),
        "Resize by 10^4": resize,
        "ConstantOfShape of 10^10": of_shape,
        "Range of 2^40": counted,
    }


def _absurd() -> dict[str, Change]:
    def branches(model: onnx.ModelProto) -> None:
        flag = numpy_helper.from_array(np.array(True), "flag")
        model.graph.initializer.append(flag)
        out = [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)]
        end = helper.make_graph([helper.make_node("Identity", ["x"], ["z"])], "end", [], out)
        graph = end
        for _ in range(20):
            node = helper.make_node("If", ["flag"], ["z"], then_branch=graph, else_branch=end)
            graph = helper.make_graph([node], "g", [], out)
        model.graph.node.append(
            helper.make_node("If", ["flag"], ["zz"], then_branch=graph, else_branch=end)
        )

    def loop(model: onnx.ModelProto) -> None:
        _numbers(model, "trips", 2**62)
        body = helper.make_graph(
            [helper.make_node("Identity", [a], [b]) for a, b in (("c", "d"), ("v", "w"))],
            "body",
            [
                helper.make_tensor_value_info("i", TensorProto.INT64, []),
                helper.make_tensor_value_info("c", TensorProto.BOOL, []),
                helper.make_tensor_value_info("v", TensorProto.FLOAT, None),
            ],
            [
                helper.make_tensor_value_info("d", TensorProto.BOOL, []),
                helper.make_tensor_value_info("w", TensorProto.FLOAT, None),
            ],
        )
        _after(model, "Loop")
        node = _find(model, "Loop")
        node.input[:] = ["trips", "", "before"]
        node.attribute.append(helper.make_attribute("body", body))

    def functions(model: onnx.ModelProto, depth: int) -> None:
        sets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
        model.opset_import.append(sets[1])
        for number in range(depth):
            # The last one calls the first where there is one, else each calls the next twice.
            name = f"F{(number + 1) % depth}" if depth == 1 else f"F{number + 1}"
            domain = "own" if depth == 1 or number + 1 < depth else ""
            nodes = [
                helper.make_node(name if domain else "Identity", [a], [b], domain=domain)
                for a, b in (("a", "t"), ("t", "b"))
            ]
            function = helper.make_function("own", f"F{number}", ["a"], ["b"], nodes, sets)
            model.functions.append(function)
        _after(model, "F0")
        _find(model, "F0").domain = "own"

    def sparse(model: onnx.ModelProto) -> None:
        values = helper.make_tensor("sparse", TensorProto.FLOAT, [1], [1.0])
        places = helper.make_tensor("places", TensorProto.INT64, [1], [0])
        tensor = helper.make_sparse_tensor(values, places, [2**20, 2**16])
        model.graph.sparse_initializer.append(tensor)

    def opset(model: onnx.ModelProto, version: int) -> None:
        model.opset_import[0].version = version

    def constant(model: onnx.ModelProto) -> None:
        value = TensorProto(data_type=TensorProto.FLOAT, dims=[HUGE], raw_data=b"0123")
        model.graph.node.insert(0, helper.make_node("Constant", [], ["large"], value=value))

    def second_input(model: onnx.ModelProto) -> None:
        model.graph.input.append(model.graph.input[0])
        model.graph.input[1].name = "z"

    return {
        "deep branches": branches,
        "endless loop": loop,
        "function that calls itself": partial(functions, depth=1),
        "functions that double": partial(functions, depth=16),
        "sparse weights": sparse,
        "constant of 2^40": constant,
        "operators of tomorrow": partial(opset, version=HUGE),
        "operators of before": partial(opset, version=-3),
        "format of tomorrow": lambda model: setattr(model, "ir_version", 99),
        "no nodes": lambda model: model.graph.ClearField("node"),
        "no output": lambda model: model.graph.ClearField("output"),
        "two inputs": second_input,
    }

#include <limits>
#include <vector>

#include "python/arrays.h"
#include "python/bindings.h"

namespace rrt::python {
namespace {

constexpr Index kMostIndex = std::numeric_limits<Index>::max();

std::string number(Index value) { return std::to_string(value); }

std::string describe(Fault fault, const AxisSpec& spec, const std::string& axis) {
    const std::string to_most_side = "; allowed are 1 to " + number(kMaxSide);
    const std::string tile = "tile " + axis + " is " + number(spec.tile);
    switch (fault) {
        case Fault::none:
            return "";
        case Fault::length:
            return axis + " is " + number(spec.length) + to_most_side;
        case Fault::tile:
            return tile + to_most_side;
        case Fault::scale:
            return "scale is " + number(spec.scale) + "; allowed are 1 to " + number(kMaxScale);
        case Fault::multiple:
            return "multiple is " + number(spec.multiple) + " and " + tile +
                   "; the tile must be a multiple of it, and it must be at least 1";
        case Fault::overlap:
            return "overlap is " + number(spec.overlap) + "; for a tile " + axis + " of " +
                   number(spec.tile) + " it must be less than that, at least 0 and a multiple of " +
                   number(spec.multiple);
        case Fault::halo:
            return "halo is " + number(spec.halo) + "; with overlap " + number(spec.overlap) +
                   " it must be 0 to " + number(spec.overlap / 2) + ": enlarge the overlap";
        case Fault::feather:
            return "feather is " + number(spec.feather) + "; with overlap " + number(spec.overlap) +
                   " and halo " + number(spec.halo) + " it must be 0 to " +
                   number(spec.overlap - 2 * spec.halo) + ": enlarge the overlap";
        case Fault::ramps_collide:
            return "along the " + axis + " of " + number(spec.length) + ", tiles of " +
                   number(spec.tile) + " with overlap " + number(spec.overlap) + " and feather " +
                   number(spec.feather) +
                   " would need three tiles for one pixel: reduce the overlap, enlarge the tile, "
                   "or reduce the feather (up to " +
                   number((spec.tile - spec.overlap) / 2) + " always fits)";
    }
    return "";
}

Axis checked_axis(const AxisSpec& spec, const std::string& name) {
    const Fault fault = check_axis(spec);
    if (fault != Fault::none) refuse(describe(fault, spec, name));
    return make_axis(spec);
}

Index any_index(py::handle value, const char* name) {
    return to_index(value, name, -kMostIndex, kMostIndex);
}

Grid make_grid(const py::object& height, const py::object& width, const py::object& tile,
               const py::object& overlap, const py::object& halo, const py::object& feather,
               const py::object& scale, const py::object& multiple) {
    py::object tile_height = tile;
    py::object tile_width = tile;
    if (py::isinstance<py::tuple>(tile) || py::isinstance<py::list>(tile)) {
        const auto pair = py::reinterpret_borrow<py::sequence>(tile);
        if (pair.size() != 2) {
            refuse("tile is " + py::repr(tile).cast<std::string>() +
                   "; it must be a whole number or (height, width)");
        }
        tile_height = pair[0];
        tile_width = pair[1];
    }
    AxisSpec y{};
    y.length = any_index(height, "height");
    y.tile = any_index(tile_height, "tile height");
    y.overlap = any_index(overlap, "overlap");
    y.halo = any_index(halo, "halo");
    y.feather = 0;
    y.scale = any_index(scale, "scale");
    y.multiple = any_index(multiple, "multiple");
    AxisSpec x = y;
    x.length = any_index(width, "width");
    x.tile = any_index(tile_width, "tile width");
    // Without a feather first: only then is the default known not to overflow.
    checked_axis(y, "height");
    checked_axis(x, "width");
    y.feather = feather.is_none() ? y.overlap - 2 * y.halo : any_index(feather, "feather");
    x.feather = y.feather;
    return {checked_axis(y, "height"), checked_axis(x, "width")};
}

/// A spec of which the length does not matter, or only to a tile that fits it.
AxisSpec checked_spec(const py::object& length, const py::object& tile, const py::object& overlap,
                      const py::object& halo, const py::object& feather,
                      const py::object& multiple) {
    AxisSpec spec{};
    spec.length = any_index(length, "length");
    spec.tile = any_index(tile, "tile");
    spec.overlap = any_index(overlap, "overlap");
    spec.halo = any_index(halo, "halo");
    spec.scale = 1;
    spec.multiple = any_index(multiple, "multiple");
    checked_axis(spec, "length");
    spec.feather = any_index(feather, "feather");
    checked_axis(spec, "length");
    return spec;
}

Index fit(const py::object& length, const py::object& tile, const py::object& overlap,
          const py::object& halo, const py::object& feather, const py::object& multiple,
          const py::object& step) {
    const AxisSpec spec = checked_spec(length, tile, overlap, halo, feather, multiple);
    const Index rounding = to_index(step, "step", 1, kMaxSide);
    if (rounding % spec.multiple != 0) {
        refuse("step is " + number(rounding) + "; it must be a multiple of " +
               number(spec.multiple));
    }
    return fit_tile(spec, rounding);
}

Index least(const py::object& overlap, const py::object& feather, const py::object& multiple) {
    AxisSpec spec{};
    spec.multiple = to_index(multiple, "multiple", 1, kMaxSide);
    spec.overlap = to_index(overlap, "overlap", 0, kMaxSide);
    spec.feather = to_index(feather, "feather", 0, spec.overlap);
    return least_tile(spec);
}

std::vector<Index> starts(const Axis& axis) {
    std::vector<Index> result;
    for (Index i = 0; i < axis.count; ++i) result.push_back(axis.start(i));
    return result;
}

std::string grid_repr(const Grid& grid) {
    const AxisSpec& y = grid.y.spec;
    const AxisSpec& x = grid.x.spec;
    return "TileGrid(" + number(y.length) + ", " + number(x.length) + ", (" + number(y.tile) +
           ", " + number(x.tile) + "), overlap=" + number(y.overlap) + ", halo=" + number(y.halo) +
           ", feather=" + number(y.feather) + ", scale=" + number(y.scale) +
           ", multiple=" + number(y.multiple) + ")";
}

}  // namespace

void bind_grid(py::module_& module) {
    py::class_<Grid>(module, "TileGrid", "Where tiles lie on a frame, and how they are joined.")
        .def(py::init(&make_grid), py::arg("height"), py::arg("width"), py::arg("tile"),
             py::kw_only(), py::arg("overlap"), py::arg("halo"), py::arg("feather") = py::none(),
             py::arg("scale") = 1, py::arg("multiple") = 1)
        .def_property_readonly("height", [](const Grid& g) { return g.y.spec.length; })
        .def_property_readonly("width", [](const Grid& g) { return g.x.spec.length; })
        .def_property_readonly(
            "tile", [](const Grid& g) { return py::make_tuple(g.y.spec.tile, g.x.spec.tile); })
        .def_property_readonly("overlap", [](const Grid& g) { return g.y.spec.overlap; })
        .def_property_readonly("halo", [](const Grid& g) { return g.y.spec.halo; })
        .def_property_readonly("feather", [](const Grid& g) { return g.y.spec.feather; })
        .def_property_readonly("scale", [](const Grid& g) { return g.y.spec.scale; })
        .def_property_readonly("multiple", [](const Grid& g) { return g.y.spec.multiple; })
        .def_property_readonly("rows", [](const Grid& g) { return g.y.count; })
        .def_property_readonly("cols", [](const Grid& g) { return g.x.count; })
        .def_property_readonly("count", &Grid::count)
        .def_property_readonly(
            "output_shape",
            [](const Grid& g) { return py::make_tuple(g.y.output_length(), g.x.output_length()); })
        .def_static("fit", &fit, py::arg("length"), py::arg("tile"), py::kw_only(),
                    py::arg("overlap"), py::arg("halo"), py::arg("feather"),
                    py::arg("multiple") = 1, py::arg("step") = 1)
        .def_static("least", &least, py::kw_only(), py::arg("overlap"), py::arg("feather"),
                    py::arg("multiple") = 1)
        .def("starts_y", [](const Grid& g) { return starts(g.y); })
        .def("starts_x", [](const Grid& g) { return starts(g.x); })
        .def("__repr__", &grid_repr);
}

}  // namespace rrt::python

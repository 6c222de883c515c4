#include "cuda/check.h"
#include "cuda/graph.h"

namespace rrt::cuda {
namespace {

cudaStream_t handle(Stream stream) { return reinterpret_cast<cudaStream_t>(stream); }

void destroy_recorded(void* recorded) {
    cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(recorded));
}

}  // namespace

Graph Graph::capture(Stream stream, const std::function<void()>& work) {
    // Other threads may go on with calls that a capture would forbid.
    check(cudaStreamBeginCapture(handle(stream), cudaStreamCaptureModeThreadLocal),
          "the begin of a capture");
    cudaGraph_t graph = nullptr;
    try {
        work();
    } catch (...) {
        if (cudaStreamEndCapture(handle(stream), &graph) == cudaSuccess) cudaGraphDestroy(graph);
        cudaGetLastError();
        throw;
    }
    check(cudaStreamEndCapture(handle(stream), &graph), "a capture");
    cudaGraphExec_t recorded = nullptr;
    const cudaError_t code = cudaGraphInstantiate(&recorded, graph, 0);
    cudaGraphDestroy(graph);
    check(code, "the instantiation of a graph");
    return Graph(std::shared_ptr<void>(recorded, destroy_recorded));
}

void Graph::launch(Stream stream) const {
    check(cudaGraphLaunch(static_cast<cudaGraphExec_t>(recorded_.get()), handle(stream)),
          "a graph's launch");
}

}  // namespace rrt::cuda

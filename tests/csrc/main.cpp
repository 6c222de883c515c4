#include "check.h"

int main() {
    test_fill();
    test_geometry();
    test_kernels();
    test_network();
    test_pool();
    std::printf("%d checks, %d failed\n", check::checks, check::failures);
    return check::failures == 0 ? 0 : 1;
}

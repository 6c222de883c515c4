// Enough of a test framework: CHECK counts, main reports.
#pragma once

#include <cstdio>

namespace check {

inline int failures = 0;
inline int checks = 0;

inline void record(bool holds, const char* text, const char* file, int line) {
    ++checks;
    if (!holds) {
        ++failures;
        std::fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, text);
    }
}

}  // namespace check

#define CHECK(condition) ::check::record((condition), #condition, __FILE__, __LINE__)

void test_fill();
void test_geometry();
void test_kernels();
void test_network();
void test_pool();

// Included once for each instruction set, which RRT_ISA names; see includes.h.
#include "nn/direct.inl"
#include "nn/direct_fp64.inl"
#include "nn/direct_int8.inl"
#include "nn/frame.inl"
#include "nn/quantise.inl"
#include "nn/resize.inl"
#include "nn/winograd.inl"

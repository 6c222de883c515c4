// Included once for each instruction set, which RRT_ISA names, after its vectors; see includes.h.
#include "cpu/rows.inl"

// Convolutions.
#include "nn/direct.inl"
#include "nn/finish.inl"
#include "nn/tail.inl"
#include "nn/winograd.inl"
#include "nn/winograd_transforms.inl"

// The rest.
#include "nn/frame.inl"
#include "nn/resize.inl"

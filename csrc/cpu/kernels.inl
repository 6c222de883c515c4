// Included once for each instruction set, which RRT_ISA names; see includes.h.
#include "cpu/colour.inl"
#include "cpu/half.inl"
#include "cpu/rows.inl"

// The operations, which use those.
#include "cpu/chroma.inl"
#include "cpu/merge.inl"
#include "cpu/recolour.inl"
#include "cpu/split.inl"
#include "cpu/upsample.inl"

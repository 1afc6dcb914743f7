#pragma once
// Which machine code computes: LibTorch, OpenBLAS and oneDNN each choose theirs by the processor
// (and by environment variables), and each choice rounds in its own way.

#include <string>

namespace unmask::engine {

/// "ATen AVX2, OpenBLAS Haswell, oneDNN avx2": equal texts, LibTorch and BLAS give equal bits on
/// the CPU. A library whose choice cannot be read is left out.
/// @param blas  the file that provides BLAS; empty: none of its own
std::string kernels(const std::string& blas);

}  // namespace unmask::engine

#pragma once
// Which machine code computes: LibTorch, OpenBLAS and oneDNN each choose theirs by the processor
// (and by environment variables), and each choice rounds in its own way.

#include <string>

namespace unmask::engine {

/// Whether oneDNN computes convolutions and their gradients as LibTorch's own code does. Version 3.7 of Debian 13
/// does not on processors with AVX-512: one shape in twelve is wrong in its leading digits. A few small
/// shapes are tried once a process, in milliseconds.
bool onednn_is_right();

/// Have LibTorch's own code compute from now on, in this process, where oneDNN is wrong. kernels() says so.
void avoid_wrong_kernels();

/// "ATen AVX2, OpenBLAS Haswell, oneDNN avx2": equal texts, LibTorch and BLAS give equal bits on
/// the CPU. A library whose choice cannot be read is left out.
/// @param blas  the file that provides BLAS; empty: none of its own
std::string kernels(const std::string& blas);

}  // namespace unmask::engine

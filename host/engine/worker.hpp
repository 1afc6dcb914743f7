#pragma once
// Entry points of processes that run tensors: a worker, and the short-lived children that answer
// one question. The executable reaches them through the one C function of the engine library
// (entry.cpp).

#include <string>
#include <vector>

#include "wire/failure_class.hpp"

namespace unmask::engine {

/// Options of a worker, as its command line says them.
struct WorkerOptions {
  int fd = -1;  ///< socket to the host
  std::string device = "cpu";
  int threads = 1;          ///< of LibTorch and BLAS
  std::string checkpoints;  ///< folder
  std::vector<std::string> plugins;
  bool cuda_graphs = false;  ///< record passes that come again and again
};

/// Execute cells until the host says stop or goes away. Exit code.
int worker_main(const WorkerOptions& options);

/// Set LibTorch's threads and its switches for bit-exact results on the CPU, and let the process
/// keep the memory that it frees. Called once, before any tensor exists.
void configure_libtorch(int threads);

/// The failure class of an exception that ended a cell.
wire::FailureClass failure_class_of(const std::exception& error);

}  // namespace unmask::engine

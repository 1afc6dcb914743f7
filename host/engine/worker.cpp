#include "engine/worker.hpp"

#include <malloc.h>

#include <chrono>
#include <new>

#include <torch/cuda.h>
#include <torch/types.h>
#include <torch/utils.h>
#include <torch/version.h>

#include "base/die_with_parent.hpp"
#include "base/frames.hpp"
#include "engine/executor.hpp"
#include "unmask/errors.hpp"
#include "wire/messages.hpp"

namespace unmask::engine {
namespace {

// Progress is for people: a few messages a second are plenty, and sending costs a system call.
class ProgressSender {
 public:
  ProgressSender(int fd, std::string key) : fd_(fd), key_(std::move(key)) {}

  void operator()(std::int64_t done, std::int64_t total, const std::string& note) {
    const auto now = std::chrono::steady_clock::now();
    if (done < total && now - last_ < std::chrono::milliseconds(200)) return;
    last_ = now;
    base::write_frame(fd_, wire::CellProgress{key_, done, total, note});
  }

 private:
  int fd_;
  std::string key_;
  std::chrono::steady_clock::time_point last_{};
};

void execute(int fd, Executor& executor, const wire::Execute& order) {
  ProgressSender progress(fd, order.key);
  try {
    const wire::CellResult result =
        executor.execute(order.key,
                         order.spec,
                         order.locals,
                         {order.checkpoint, order.source, order.keep_adversarials},
                         [&](std::int64_t done, std::int64_t total, const std::string& note) {
                           progress(done, total, note);
                         });
    base::write_frame(fd, wire::Result{order.key, result});
  } catch (const base::FrameError&) {
    throw;  // the host is gone: nobody to tell
  } catch (const c10::Error& error) {
    // Without the C++ backtrace that LibTorch appends to what().
    base::write_frame(
        fd, wire::Failure{order.key, failure_class_of(error), error.what_without_backtrace()});
  } catch (const std::exception& error) {
    base::write_frame(fd, wire::Failure{order.key, failure_class_of(error), error.what()});
  } catch (...) {
    base::write_frame(fd,
                      wire::Failure{order.key,
                                    wire::FailureClass::kPluginError,
                                    "an exception of unknown type was thrown"});
  }
}

// Tensors of tens of megabytes come and go in every pass. By default glibc gets each of them from
// the kernel anew, which fills its pages with zeros first: up to a seventh of a training
// step (bench/RESULTS.md).
void keep_freed_memory() {
#if defined(__GLIBC__)
  ::mallopt(M_MMAP_MAX, 0);
  ::mallopt(M_TRIM_THRESHOLD, -1);
#endif
}

}  // namespace

void configure_libtorch(int threads) {
  keep_freed_memory();
  at::set_num_threads(threads);
  at::set_num_interop_threads(1);
  at::globalContext().setDeterministicCuDNN(true);
  at::globalContext().setBenchmarkCuDNN(false);
  // TF32 rounds products to 10 bits: attacks would differentiate another network than the CPU's.
  at::globalContext().setAllowTF32CuBLAS(false);
  at::globalContext().setAllowTF32CuDNN(false);
}

wire::FailureClass failure_class_of(const std::exception& error) {
  const std::string text = error.what();
  const auto says = [&](const char* words) { return text.find(words) != std::string::npos; };
  if (dynamic_cast<const NumericError*>(&error) != nullptr) return wire::FailureClass::kInvalid;
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr || says("out of memory") ||
      says("not enough memory")) {
    return wire::FailureClass::kOutOfMemory;
  }
  if (says("CUDA error") || says("CUDNN_STATUS")) return wire::FailureClass::kDeviceFault;
  return wire::FailureClass::kPluginError;
}

int worker_main(const WorkerOptions& options) {
  base::die_with_parent();
  configure_libtorch(options.threads);
  try {
    loader::Registry registry({options.plugins.begin(), options.plugins.end()});
    Executor executor(registry, options.device, options.checkpoints);
    if (options.cuda_graphs) executor.record_passes(cuda_graph_maker(options.device));
    base::write_frame(options.fd, wire::Hello{::getpid(), options.device, TORCH_VERSION});
    while (const auto frame = base::read_frame(options.fd)) {
      const wire::HostMessage message = wire::parse_host_message(*frame);
      if (std::holds_alternative<wire::Stop>(message)) break;
      execute(options.fd, executor, std::get<wire::Execute>(message));
    }
  } catch (const base::FrameError& error) {
    std::fprintf(stderr, "worker: connection to the host lost: %s\n", error.what());
    return static_cast<int>(ExitCode::kInternal);
  }
  return 0;
}

}  // namespace unmask::engine

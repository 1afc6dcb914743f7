#include "engine/worker.hpp"

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <unistd.h>

#include <chrono>
#include <new>

#include <torch/cuda.h>
#include <torch/types.h>
#include <torch/utils.h>
#include <torch/version.h>

#include "base/die_with_parent.hpp"
#include "base/files.hpp"
#include "base/frames.hpp"
#include "engine/device_memory.hpp"
#include "engine/executor.hpp"
#include "engine/kernels.hpp"
#include "unmask/errors.hpp"
#include "wire/messages.hpp"
#include "wire/unfinished.hpp"

namespace unmask::engine {
namespace {

// What a plugin says of its failure is kept whole up to here: a message is for people.
constexpr std::size_t kLongestMessage = std::size_t{16} << 10;

std::string shortened(std::string text) {
  if (text.size() <= kLongestMessage) return text;
  const std::string size = std::to_string(text.size());
  text.resize(kLongestMessage);
  return text + "... (" + size + " bytes in all)";
}

// Sentences as one text.
std::string joined(const std::vector<std::string>& sentences) {
  std::string text;
  for (const std::string& sentence : sentences) text += (text.empty() ? "" : "; ") + sentence;
  return text;
}

// The socket and the process that speaks on it. A plugin may fork, and its child may come back from
// the plugin as if it were the worker: it has no part in the conversation.
int own_socket = -1;
pid_t own_pid = -1;

extern "C" void unmask_close_socket_in_child() {
  if (own_socket >= 0) ::close(own_socket);
}

void take_socket(int fd) {
  own_socket = fd;
  own_pid = ::getpid();
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  ::pthread_atfork(nullptr, nullptr, unmask_close_socket_in_child);
}

void leave_if_forked() {
  if (::getpid() != own_pid) ::_exit(static_cast<int>(ExitCode::kInternal));
}

// The result of a training waits on the disk until the host has recorded it. Without the file
// nothing is lost but time: the training would go on from its last snapshot.
void keep_until_recorded(const std::filesystem::path& checkpoints,
                         const std::string& key,
                         const wire::CellResult& result) {
  try {
    const nlohmann::json content = {{"key", key}, {"result", result}};
    base::write_file_atomically(
        wire::finished_file(checkpoints, key),
        content.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  } catch (const DataError& error) {
    std::fprintf(stderr, "warning: %s\n", error.what());
  }
}

// Progress is for people: a few messages a second are plenty, and sending costs a system call.
class ProgressSender {
 public:
  ProgressSender(int fd, std::string key) : fd_(fd), key_(std::move(key)) {}

  void operator()(std::int64_t done, std::int64_t total, const std::string& note) {
    const auto now = std::chrono::steady_clock::now();
    if (done < total && now - last_ < std::chrono::milliseconds(200)) return;
    last_ = now;
    leave_if_forked();
    base::write_frame(fd_, wire::CellProgress{key_, done, total, note});
  }

 private:
  int fd_;
  std::string key_;
  std::chrono::steady_clock::time_point last_{};
};

void execute(const WorkerOptions& options, Executor& executor, const wire::Execute& order) {
  const int fd = options.fd;
  ProgressSender progress(fd, order.key);
  const auto fail = [&](wire::FailureClass failure_class, std::string message) {
    leave_if_forked();
    base::write_frame(fd,
                      wire::Failure{order.key,
                                    failure_class,
                                    shortened(std::move(message)),
                                    joined(executor.take_complaints())});
  };
  try {
    const Executor::Executed executed =
        executor.execute(order.key,
                         order.spec,
                         order.locals,
                         {order.checkpoint, order.source, order.keep_adversarials},
                         order.part,
                         [&](std::int64_t done, std::int64_t total, const std::string& note) {
                           progress(done, total, note);
                         });
    leave_if_forked();
    if (const auto* const part = std::get_if<wire::CellPart>(&executed)) {
      base::write_frame(fd, wire::Part{order.key, *part, joined(executor.take_complaints())});
      return;
    }
    const auto& result = std::get<wire::CellResult>(executed);
    if (order.kind == wire::CellKind::kTrain) {
      keep_until_recorded(options.checkpoints, order.key, result);
    }
    base::write_frame(fd, wire::Result{order.key, result, joined(executor.take_complaints())});
  } catch (const base::FrameTooLong& error) {
    fail(wire::FailureClass::kInvalid,
         std::string("the result is too large to be recorded: ") + error.what());
  } catch (const base::FrameError&) {
    throw;  // the host is gone: nobody to tell
  } catch (const c10::Error& error) {
    // Without the C++ backtrace that LibTorch appends to what().
    fail(failure_class_of(error), error.what_without_backtrace());
  } catch (const std::exception& error) {
    fail(failure_class_of(error), error.what());
  } catch (...) {
    fail(wire::FailureClass::kPluginError, "an exception of unknown type was thrown");
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

// A device that cannot even be asked fails the first cell, which says why; a worker that does not start
// would end the run.
std::optional<std::int64_t> free_bytes(const std::string& device) {
  try {
    return free_device_bytes(device);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "warning: %s\n", error.what());
    return std::nullopt;
  }
}

}  // namespace

void configure_libtorch(int threads) {
  keep_freed_memory();
  at::set_num_threads(threads);
  at::set_num_interop_threads(1);
  avoid_wrong_kernels();
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
  // Of LibTorch's allocators, the C library, and of libraries of a device; plugins pass words on.
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr || says("std::bad_alloc") ||
      says("out of memory") || says("not enough memory") || says("can't allocate memory") ||
      says("Cannot allocate memory") || says("STATUS_ALLOC_FAILED")) {
    return wire::FailureClass::kOutOfMemory;
  }
  if (says("CUDA error") || says("CUDNN_STATUS")) return wire::FailureClass::kDeviceFault;
  return wire::FailureClass::kPluginError;
}

int worker_main(const WorkerOptions& options) {
  base::die_with_parent();
  take_socket(options.fd);
  configure_libtorch(options.threads);
  try {
    loader::Registry registry({options.plugins.begin(), options.plugins.end()});
    Executor executor(registry, options.device, options.checkpoints);
    if (options.cuda_graphs) executor.record_passes(cuda_graph_maker(options.device));
    base::write_frame(
        options.fd,
        wire::Hello{::getpid(), options.device, TORCH_VERSION, free_bytes(options.device)});
    while (const auto frame = base::read_frame(options.fd)) {
      const wire::HostMessage message = wire::parse_host_message(*frame);
      if (std::holds_alternative<wire::Stop>(message)) break;
      execute(options, executor, std::get<wire::Execute>(message));
    }
  } catch (const base::FrameError& error) {
    std::fprintf(stderr, "worker: connection to the host lost: %s\n", error.what());
    return static_cast<int>(ExitCode::kInternal);
  }
  return 0;
}

}  // namespace unmask::engine

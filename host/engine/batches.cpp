#include "engine/batches.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <numeric>
#include <optional>
#include <thread>

#include <torch/types.h>

#include "unmask/errors.hpp"
#include "unmask/random.hpp"

namespace unmask::engine {
namespace {

constexpr std::size_t kAhead = 2;  // batches that wait for the device

// A number in [0, n) from 64 random bits; the bias of the multiplication is below n / 2^32.
std::int64_t below(std::uint64_t bits, std::int64_t n) {
  return static_cast<std::int64_t>(((bits >> 32) * static_cast<std::uint64_t>(n)) >> 32);
}

// A batch as far as it is made on the host.
struct HostBatch {
  std::vector<std::int64_t> samples;
  Tensor images;  // as stored: uint8 or float32
  Tensor labels;
  std::optional<AugmentPlan> augmentation;
};

bool is_cuda(const BatchPlan& plan) {
  return plan.device != "cpu";
}

HostBatch gather(const LoadedSplit& data,
                 const BatchPlan& plan,
                 const std::vector<std::int64_t>& order,
                 std::int64_t epoch,
                 std::int64_t step) {
  const std::int64_t first = step * plan.batch_size;
  const std::int64_t last = std::min(plan.count, first + plan.batch_size);
  HostBatch batch;
  batch.samples.assign(order.begin() + first, order.begin() + last);
  const Tensor index = torch::tensor(batch.samples, torch::kLong);
  batch.images = data.images.index_select(0, index);
  batch.labels = data.labels.index_select(0, index);
  if (plan.crop_padding > 0 || plan.horizontal_flip) {
    batch.augmentation =
        plan_augmentation(batch.samples,
                          data.images.size(2),
                          data.images.size(3),
                          plan.crop_padding,
                          plan.horizontal_flip,
                          derive_seed(plan.seed, "augment", static_cast<std::uint64_t>(epoch)));
  }
  return batch;
}

void pin(Tensor& tensor) {
  tensor = tensor.pin_memory();
}

void pin(HostBatch& batch) {
  pin(batch.images);
  pin(batch.labels);
  if (!batch.augmentation) return;
  pin(batch.augmentation->rows);
  pin(batch.augmentation->columns);
}

// Makes a batch of the host one of the device.
class Finisher {
 public:
  explicit Finisher(const BatchPlan& plan) : device_(plan.device), dtype_(plan.dtype) {
    if (device_.is_cpu()) return;
    quotients_ = torch::arange(256, at::TensorOptions().dtype(dtype_)).div_(255).to(device_);
  }

  Batch finish(HostBatch batch) const {
    Batch result;
    result.samples = std::move(batch.samples);
    Tensor images = move(batch.images);
    if (batch.augmentation) {
      images = augment(images,
                       {batch.augmentation->padding,
                        move(batch.augmentation->rows),
                        move(batch.augmentation->columns)});
    }
    result.x = to_unit_interval(images);
    result.y = move(batch.labels);
    return result;
  }

 private:
  Tensor move(const Tensor& tensor) const {
    if (device_.is_cpu()) return tensor;
    return tensor.to(device_, tensor.scalar_type(), /*non_blocking=*/true);
  }

  // Bytes k become k/255. Devices divide differently, so all but the CPU look the quotients of the
  // CPU up.
  Tensor to_unit_interval(const Tensor& images) const {
    if (images.scalar_type() != at::kByte) return images.to(dtype_);
    if (device_.is_cpu()) return images.to(dtype_).div_(255);
    return quotients_.index({images.to(at::kLong)});
  }

  torch::Device device_;
  at::ScalarType dtype_;
  Tensor quotients_;
};

std::vector<std::int64_t> order_of(const BatchPlan& plan, std::int64_t epoch) {
  return permutation(plan.count,
                     derive_seed(plan.seed, "order", static_cast<std::uint64_t>(epoch)));
}

}  // namespace

std::vector<std::int64_t> permutation(std::int64_t n, std::uint64_t seed) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  for (std::int64_t i = n - 1; i > 0; --i) {
    const std::uint64_t bits = derive_seed(seed, "order", static_cast<std::uint64_t>(i));
    std::swap(order[static_cast<std::size_t>(i)],
              order[static_cast<std::size_t>(below(bits, i + 1))]);
  }
  return order;
}

AugmentPlan plan_augmentation(const std::vector<std::int64_t>& samples,
                              std::int64_t height,
                              std::int64_t width,
                              std::int64_t padding,
                              bool flip,
                              std::uint64_t seed) {
  const auto count = static_cast<std::int64_t>(samples.size());
  const auto options = at::TensorOptions().dtype(at::kLong);
  AugmentPlan plan{
      padding, at::empty({count, height}, options), at::empty({count, width}, options)};
  auto* row = plan.rows.data_ptr<std::int64_t>();
  auto* column = plan.columns.data_ptr<std::int64_t>();
  for (const std::int64_t sample : samples) {
    const auto id = static_cast<std::uint64_t>(sample);
    const std::int64_t top = below(derive_seed(seed, "top", id), 2 * padding + 1);
    const std::int64_t left = below(derive_seed(seed, "left", id), 2 * padding + 1);
    const bool is_mirrored = flip && (derive_seed(seed, "flip", id) & 1) == 1;
    for (std::int64_t i = 0; i < height; ++i) *row++ = top + i;
    for (std::int64_t j = 0; j < width; ++j) *column++ = left + (is_mirrored ? width - 1 - j : j);
  }
  return plan;
}

Tensor augment(const Tensor& images, const AugmentPlan& plan) {
  const std::int64_t p = plan.padding;
  const Tensor padded = p > 0 ? at::constant_pad_nd(images, {p, p, p, p}) : images;
  const auto options = at::TensorOptions().dtype(at::kLong).device(images.device());
  const Tensor sample = at::arange(images.size(0), options).view({-1, 1, 1, 1});
  const Tensor channel = at::arange(images.size(1), options).view({1, -1, 1, 1});
  return padded.index({sample,
                       channel,
                       plan.rows.unsqueeze(1).unsqueeze(3),
                       plan.columns.unsqueeze(1).unsqueeze(2)});
}

Batch make_batch(const LoadedSplit& data,
                 const BatchPlan& plan,
                 std::int64_t epoch,
                 std::int64_t step) {
  return Finisher(plan).finish(gather(data, plan, order_of(plan, epoch), epoch, step));
}

// Owns the thread. A batch for the CPU is finished by the thread; one for a CUDA device by the
// caller, whose stream it belongs to.
class BatchStream::Producer {
 public:
  Producer(const LoadedSplit& data,
           const BatchPlan& plan,
           std::int64_t epochs,
           std::int64_t epoch,
           std::int64_t step)
      : data_(data),
        plan_(plan),
        finisher_(plan),
        epochs_(epochs),
        epoch_(epoch),
        step_(step),
        thread_([this] { run(); }) {}

  ~Producer() {
    {
      const std::lock_guard lock(mutex_);
      is_stopped_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  Batch next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !ready_.empty() || has_ended_; });
    if (ready_.empty()) {
      if (error_) std::rethrow_exception(error_);
      throw InternalError("a training asked for more batches than its epochs have");
    }
    Item item = std::move(ready_.front());
    ready_.pop_front();
    lock.unlock();
    changed_.notify_all();
    return item.finished ? std::move(*item.finished) : finisher_.finish(std::move(item.host));
  }

 private:
  struct Item {
    HostBatch host;
    std::optional<Batch> finished;
  };

  void run() {
    std::exception_ptr error;
    try {
      produce();
    } catch (...) {
      error = std::current_exception();
    }
    {
      const std::lock_guard lock(mutex_);
      error_ = error;
      has_ended_ = true;
    }
    changed_.notify_all();
  }

  void produce() {
    for (; epoch_ < epochs_; ++epoch_, step_ = 0) {
      const std::vector<std::int64_t> order = order_of(plan_, epoch_);
      for (; step_ < plan_.steps(); ++step_) {
        if (!offer(make(order))) return;
      }
    }
  }

  Item make(const std::vector<std::int64_t>& order) const {
    Item item;
    item.host = gather(data_, plan_, order, epoch_, step_);
    if (is_cuda(plan_)) {
      pin(item.host);
    } else {
      item.finished = finisher_.finish(std::move(item.host));
    }
    return item;
  }

  // False when nobody wants more.
  bool offer(Item item) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ready_.size() < kAhead || is_stopped_; });
    if (is_stopped_) return false;
    ready_.push_back(std::move(item));
    lock.unlock();
    changed_.notify_all();
    return true;
  }

  const LoadedSplit& data_;
  const BatchPlan plan_;
  const Finisher finisher_;
  const std::int64_t epochs_;
  std::int64_t epoch_;
  std::int64_t step_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> ready_;
  std::exception_ptr error_;
  bool is_stopped_ = false;
  bool has_ended_ = false;
  std::thread thread_;  // last: it uses all of the above
};

BatchStream::BatchStream(const LoadedSplit& data,
                         const BatchPlan& plan,
                         std::int64_t epochs,
                         std::int64_t epoch,
                         std::int64_t step)
    : producer_(std::make_unique<Producer>(data, plan, epochs, epoch, step)) {}

BatchStream::~BatchStream() = default;

Batch BatchStream::next() {
  return producer_->next();
}

}  // namespace unmask::engine

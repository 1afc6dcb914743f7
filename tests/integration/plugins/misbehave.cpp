// An attack that does what it should not, in the way that its parameter says: the attack of the zoo
// (tests/soak/zoo.py) and of the tests of failures.

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cfenv>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>
#include <locale>
#include <map>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <torch/types.h>
#include <torch/utils.h>

#include "unmask/plugin.hpp"

namespace unmask {
namespace {

// The descriptor over which a worker talks to its host.
constexpr int kHostFd = 3;
constexpr std::size_t kMebibyte = std::size_t{1} << 20;

struct Call {
  Target& target;
  const Tensor& x;
  const Tensor& y;
  const Threat& threat;
  AttackContext& context;

  std::int64_t rows() const { return x.size(0); }
  void note(const std::string& name, double value) const {
    context.notes.push_back({name, at::full({rows()}, value)});
  }
};

// What a mode returns; undefined where it only has a side effect: then a point of the ball.
using Mode = std::function<Tensor(const Call&)>;
using Modes = std::map<std::string, Mode>;

Mode only(std::function<void(const Call&)> effect) {
  return [effect = std::move(effect)](const Call& call) {
    effect(call);
    return call.x.clone();
  };
}

Mode simply(std::function<void()> effect) {
  return only([effect = std::move(effect)](const Call&) { effect(); });
}

[[noreturn]] void turn() {
  for (std::atomic<unsigned> i{0};; ++i) {
  }
}

[[noreturn]] void wait_for_ever() {
  for (;;) ::pause();
}

bool is_in_worker() {
  return std::getenv("UNMASK_HOST_PID") != nullptr;  // NOLINT(concurrency-mt-unsafe): one thread
}

pid_t fork_or_throw() {
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("cannot fork");
  return child;
}

void send_to_host(const std::string& bytes) {
  for (std::size_t sent = 0; sent < bytes.size();) {
    const ssize_t n = ::send(kHostFd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n < 0) return;
    sent += static_cast<std::size_t>(n);
  }
}

// A frame of the length that is announced, in front of it.
std::string frame(std::size_t announced, const std::string& body) {
  std::string bytes;
  for (unsigned i = 0; i < 4; ++i) bytes += static_cast<char>(announced >> (8 * i) & 0xFF);
  return bytes + body;
}

int dig(int depth) {  // NOLINT(misc-no-recursion): until the stack ends
  volatile char room[8192];
  room[static_cast<unsigned>(depth) % sizeof room] = 1;
  if (depth < 0) return 0;
  const int below = dig(depth + 1);
  return below + room[0];
}

void add_ends(Modes& modes) {
  modes["segfault"] = simply([] {
    volatile int* nowhere = nullptr;
    *nowhere = 1;
  });
  modes["abort"] = simply([] { std::abort(); });
  modes["terminate"] = simply([] { std::terminate(); });
  modes["exit"] = simply([] { std::exit(0); });
  modes["exit_at_once"] = simply([] { ::_exit(0); });
  modes["exit_quickly"] = simply([] { std::quick_exit(0); });
  modes["stack"] = simply([] { std::printf("%d", dig(0)); });
  modes["trap"] = simply([] { ::raise(SIGTRAP); });
}

void add_hangs(Modes& modes) {
  modes["hang"] = simply([] { wait_for_ever(); });
  modes["hang_deaf"] = simply([] {
    ::signal(SIGTERM, SIG_IGN);
    turn();
  });
  modes["hang_blocked"] = simply([] {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    wait_for_ever();
  });
  modes["deadlock"] = simply([] {
    std::mutex mutex;
    const std::lock_guard first(mutex);
    mutex.lock();
  });
  modes["stopped"] = simply([] { ::raise(SIGSTOP); });
  modes["orphan"] = simply([] {
    ::prctl(PR_SET_PDEATHSIG, 0);
    wait_for_ever();
  });
}

void add_memory(Modes& modes) {
  modes["memory"] = simply([] {
    std::vector<std::string> blocks;
    for (;;) blocks.emplace_back(16 * kMebibyte, 'm');
  });
  modes["memory_of_tensors"] = simply([] {
    std::vector<Tensor> blocks;
    for (;;) blocks.push_back(at::ones({static_cast<std::int64_t>(4 * kMebibyte)}));
  });
}

void add_points(Modes& modes) {
  modes["nan"] = [](const Call& c) {
    return at::full_like(c.x, std::numeric_limits<double>::quiet_NaN());
  };
  modes["infinite"] = [](const Call& c) {
    return at::full_like(c.x, std::numeric_limits<double>::infinity());
  };
  modes["one_nan"] = [](const Call& c) {
    Tensor points = c.x.clone();
    points.view(-1)[0] = std::numeric_limits<double>::quiet_NaN();
    return points;
  };
  modes["nothing"] = [](const Call&) { return Tensor(); };
  modes["shape"] = [](const Call& c) { return c.x.flatten(1); };
  modes["too_few"] = [](const Call& c) { return c.x.narrow(0, 1, c.rows() - 1); };
  modes["too_many"] = [](const Call& c) { return c.x.repeat({2, 1, 1, 1}); };
  modes["double"] = [](const Call& c) { return c.x.to(at::kDouble); };
  modes["integers"] = [](const Call& c) { return c.x.to(at::kInt); };
  modes["booleans"] = [](const Call& c) { return c.x.to(at::kBool); };
  modes["complex"] = [](const Call& c) { return c.x.to(at::kComplexFloat); };
  modes["sparse"] = [](const Call& c) { return c.x.to_sparse(); };
  modes["with_gradient"] = [](const Call& c) { return c.x.clone().requires_grad_(true); };
  modes["strided"] = [](const Call& c) {
    Tensor wide = at::stack({c.x, c.x}, -1).flatten(3);
    return wide.slice(3, 0, wide.size(3), 2);
  };
  modes["expanded"] = [](const Call& c) { return at::full({1, 1, 1, 1}, 0.5).expand(c.x.sizes()); };
  modes["other_order"] = [](const Call& c) { return c.x.flip(0); };
  modes["outside_ball"] = [](const Call& c) { return (1 - c.x).clamp(0, 1); };
  // leaves the box where x is near 1
  modes["outside_box"] = [](const Call& c) { return c.x + c.threat.epsilon; };
}

void add_words(Modes& modes) {
  modes["throw"] = simply([] { throw std::runtime_error("this attack gives up"); });
  modes["throw_number"] = simply([] { throw 7; });
  modes["throw_text"] = simply([] { throw std::string("no exception"); });
  modes["throw_null"] = simply([] { throw static_cast<const char*>(nullptr); });
  modes["throw_torch"] = simply([] { at::mm(at::ones({2, 3}), at::ones({2, 3})); });
  modes["huge_message"] =
      simply([] { throw std::runtime_error(std::string(100 * kMebibyte, 'm')); });
  modes["odd_message"] =
      simply([] { throw std::runtime_error("bytes \xff\xfe, colours \x1b[31m and a bell \x07"); });
  // Words do not make a class.
  modes["says_memory"] = simply([] { throw std::runtime_error("out of memory, it says"); });
  modes["flood"] = simply([] {
    const std::vector<char> line(kMebibyte, 'x');
    for (int i = 0; i < 1024; ++i) {
      std::FILE* const stream = i % 2 == 0 ? stdout : stderr;
      std::fwrite(line.data(), 1, line.size(), stream);
      std::fputc('\n', stream);
    }
    std::fflush(stdout);
  });
  modes["odd_log"] = simply([] {
    for (int i = 0; i < 8192; ++i) std::fputc(i * 37 & 0xFF, stderr);
    std::fputs("\x1b]0;another title\x07\x1b[2J\n", stderr);
  });
}

class Comma final : public std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

void add_changes(Modes& modes) {
  modes["rounding"] = simply([] { std::fesetround(FE_UPWARD); });
  modes["small_numbers"] = simply([] { at::globalContext().setFlushDenormal(true); });
  modes["traps"] = simply([] { ::feenableexcept(FE_DIVBYZERO | FE_INVALID | FE_INEXACT); });
  modes["locale"] = simply([] {
    std::locale::global(std::locale(std::locale::classic(), new Comma));
    std::setlocale(LC_ALL, "C.UTF-8");
  });
  modes["default_type"] =
      simply([] { torch::set_default_dtype(caffe2::TypeMeta::Make<double>()); });
  modes["threads_wished"] = simply([] { at::set_num_threads(16); });
  modes["no_gradients"] = simply([] { at::GradMode::set_enabled(false); });
  modes["inference"] = simply([] {
    static const auto* const kept = new c10::InferenceMode(true);
    static_cast<void>(kept);
  });
  modes["seed"] = simply([] {
    torch::manual_seed(1);
    at::rand({3});
  });
  modes["folder"] = simply([] {
    if (::chdir("/") == 0) ::umask(0777);
  });
  modes["signals"] = simply([] {
    for (int number = 1; number < 32; ++number) ::signal(number, SIG_IGN);
  });
  modes["few_files"] = simply([] {
    const rlimit few{8, 8};
    ::setrlimit(RLIMIT_NOFILE, &few);
  });
  modes["variables"] = simply([] { ::setenv("OMP_NUM_THREADS", "7", 1); });  // NOLINT: one thread
  modes["writes_images"] = only([](const Call& c) { c.x.detach().zero_(); });
  modes["writes_labels"] = only([](const Call& c) { c.y.detach().add_(1).remainder_(10); });
  modes["writes_logits"] = only([](const Call& c) { c.target.logits(c.x).zero_(); });
}

void add_company(Modes& modes) {
  modes["thread"] = simply([] { std::thread(turn).detach(); });
  modes["thread_crashes"] = simply([] {
    std::thread([] {
      ::usleep(100000);
      ::raise(SIGSEGV);
    }).detach();
  });
  // Parent and child both return into the worker, one more of them with every batch.
  modes["fork"] = simply([] { fork_or_throw(); });
  modes["child"] = simply([] {
    if (fork_or_throw() == 0) wait_for_ever();
  });
  // A process that leaves its session, so that no signal to the worker's group reaches it.
  modes["stray"] = simply([] {
    const pid_t child = fork_or_throw();
    if (child == 0) {
      ::setsid();
      ::signal(SIGHUP, SIG_IGN);
      wait_for_ever();
    }
    std::fprintf(stderr, "stray %d\n", static_cast<int>(child));
  });
}

void add_connection(Modes& modes) {
  modes["closes_all"] = simply([] {
    for (int fd = 0; fd < 1024; ++fd) ::close(fd);
  });
  modes["closes_host"] = simply([] { ::close(kHostFd); });
  modes["shuts_host"] = simply([] { ::shutdown(kHostFd, SHUT_RDWR); });
  modes["reads_host"] = simply([] {
    char bytes[4096];
    ::fcntl(kHostFd, F_SETFL, O_NONBLOCK);
    if (::read(kHostFd, bytes, sizeof bytes) > 0) std::puts("something was there");
  });
  modes["garbage"] = simply([] { send_to_host(frame(0x7fffffff, "garbage")); });
  modes["no_json"] = simply([] { send_to_host(frame(7, "[1, 2, ")); });
  modes["no_message"] = simply([] { send_to_host(frame(2, "{}")); });
  // As long as a frame may be, and never whole.
  modes["endless_frame"] = simply([] {
    send_to_host(frame(32 * kMebibyte, ""));
    const std::string blanks(kMebibyte, ' ');
    for (int i = 0; i < 4096; ++i) send_to_host(blanks);
  });
  modes["heavy_frame"] = simply([] {
    std::string body = "[[]";
    while (body.size() < 32 * kMebibyte - 8) body += ",[]";
    body += "]";
    send_to_host(frame(body.size(), body));
  });
}

void add_notes(Modes& modes) {
  modes["note_twice"] = only([](const Call& c) {
    c.note("a", 1);
    c.note("a", 0);
  });
  modes["note_longer"] = only([](const Call& c) {
    c.context.notes.push_back({"a", at::ones({c.rows() + 3})});
  });
  modes["note_of_nothing"] = only([](const Call& c) {
    c.context.notes.push_back({"a", Tensor()});
  });
  modes["note_odd_name"] =
      only([](const Call& c) { c.note(std::string("\xff\0\n'; DROP TABLE cell; --", 23), 1); });
  modes["note_no_name"] = only([](const Call& c) { c.note("", 1); });
  modes["note_of_the_host"] = only([](const Call& c) { c.note("robust_accuracy", 5); });
  modes["note_check"] = only([](const Call& c) { c.note("check.randomised", 1); });
  modes["note_accuracy"] = only([](const Call& c) { c.note("x_accuracy", 5); });
  modes["note_not_finite"] = only([](const Call& c) {
    c.note("a", std::numeric_limits<double>::quiet_NaN());
    c.note("b", std::numeric_limits<double>::infinity());
  });
  modes["notes_many"] = only([](const Call& c) {
    for (int i = 0; i < 20000; ++i) c.note("n" + std::to_string(i), 1);
  });
  modes["notes_vary"] = only([](const Call& c) {
    static int count = 0;
    c.note("n" + std::to_string(count++), 1);
  });
}

void add_questions(Modes& modes) {
  modes["logits_shape"] = only([](const Call& c) {
    c.target.logits(at::zeros({c.rows(), 7, 3, 3}));
  });
  modes["logits_outside"] = only([](const Call& c) { c.target.logits(c.x + 100); });
  modes["logits_nan"] = only([](const Call& c) {
    c.target.logits(at::full_like(c.x, std::numeric_limits<double>::quiet_NaN()));
  });
  modes["rows_beyond"] =
      only([](const Call& c) { c.target.logits(c.x, at::full({c.rows()}, 99999, at::kLong)); });
  modes["rows_negative"] =
      only([](const Call& c) { c.target.logits(c.x, at::full({c.rows()}, -5, at::kLong)); });
}

const Modes& all_modes() {
  static const Modes modes = [] {
    Modes all;
    for (const auto add : {add_ends,
                           add_hangs,
                           add_memory,
                           add_points,
                           add_words,
                           add_changes,
                           add_company,
                           add_connection,
                           add_notes,
                           add_questions}) {
      add(all);
    }
    // These act when the attack is made or goes.
    for (const char* name : {"good",
                             "born_crash",
                             "born_crash_in_worker",
                             "born_hang_in_worker",
                             "born_exit",
                             "born_throw_number",
                             "born_prints",
                             "dies_crash_in_worker",
                             "dies_hang_in_worker"}) {
      all[name] = simply([] {});
    }
    return all;
  }();
  return modes;
}

std::vector<std::string> names() {
  std::vector<std::string> result;
  for (const auto& [name, mode] : all_modes()) result.push_back(name);
  return result;
}

class Misbehave final : public Attack {
 public:
  static PluginInfo info() {
    return {.version = "1.0",
            .summary = "breaks a rule",
            .source = "a test",
            .params = {choice("how", names(), "which rule")},
            .capabilities = {}};
  }
  explicit Misbehave(const Params& params) : how_(params.get_text("how")) {
    if (how_ == "born_crash" || is_at_work("born_crash_in_worker")) ::raise(SIGSEGV);
    if (is_at_work("born_hang_in_worker")) wait_for_ever();
    if (how_ == "born_exit") std::exit(0);
    if (how_ == "born_throw_number") throw 42;
    if (how_ == "born_prints") {
      std::puts("{\"end\": {}}");
      std::fflush(stdout);
    }
  }
  ~Misbehave() override {
    if (is_at_work("dies_crash_in_worker")) ::raise(SIGSEGV);
    if (is_at_work("dies_hang_in_worker")) wait_for_ever();
  }
  Misbehave(const Misbehave&) = delete;
  Misbehave& operator=(const Misbehave&) = delete;

  Norm norm() const override { return Norm::kLinf; }
  Tensor perturb(Target& target,
                 const Tensor& x,
                 const Tensor& y,
                 const Threat& threat,
                 AttackContext& context) override {
    return all_modes().at(how_)({target, x, y, threat, context});
  }

 private:
  bool is_at_work(const char* how) const { return how_ == how && is_in_worker(); }

  std::string how_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::Misbehave)

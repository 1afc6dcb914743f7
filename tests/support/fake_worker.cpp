// A worker without LibTorch whose cells do what their spec says, most of it wrong: for the tests of
// the runner. Usage: fake_worker --fd N [--start exit:CODE|killed:FILE|hang|greet_and_exit|garbage|free:BYTES]

#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/die_with_parent.hpp"
#include "base/frames.hpp"
#include "support/fake_part.hpp"
#include "wire/messages.hpp"

namespace {

using namespace unmask;  // NOLINT(google-build-using-namespace): a small program
using nlohmann::json;

void send_bytes(int fd, const std::string& bytes) {
  if (::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) std::_Exit(9);
}

[[noreturn]] void hang() {
  for (;;) ::pause();
}

void touch(const std::string& path) {
  std::ofstream(path) << "x";
}

// True the first time that this is asked about a marker, in any process.
bool is_first_time(const std::string& marker) {
  if (std::filesystem::exists(marker)) return false;
  touch(marker);
  return true;
}

// Look for a file until it is there; the test's own time limit ends a wait in vain.
void wait_for(const std::string& path) {
  while (!std::filesystem::exists(path)) ::usleep(1000);
}

wire::CellResult good_result(const wire::Execute& cell) {
  wire::CellResult result;
  result.device = "cpu";
  result.wall_s = 0.01;
  if (cell.kind == wire::CellKind::kTrain) {
    result.checkpoint = wire::CheckpointFile{std::string(64, 'a'), 10, cell.key + ".safetensors"};
    result.metrics.push_back({"accuracy", 0.9, 100});
  } else if (cell.kind == wire::CellKind::kAttack) {
    result.outcomes = {{0, 1, 1, 2, 0.1, 3}, {1, 0, 0, 0, 0.2, 4}};
  } else {
    result.metrics.push_back({"gradient_norm", std::nan(""), 2});
  }
  if (cell.checkpoint) result.seeds["checkpoint"] = cell.checkpoint->path;
  if (cell.source) result.seeds["source"] = cell.source->path;
  return result;
}

void fail(int fd,
          const wire::Execute& cell,
          wire::FailureClass failure_class,
          const char* message) {
  base::write_frame(fd, wire::Failure{cell.key, failure_class, message});
}

// As much of the cell as is ordered: {"samples", "unit"}; one unit when only a time is said.
// "die_at": dies once when it gets to this sample. "log": a file that gets a line for each part.
void execute_part(int fd, const wire::Execute& cell) {
  const auto total = cell.spec.at("samples").get<std::int64_t>();
  const auto unit = cell.spec.at("unit").get<std::int64_t>();
  const std::int64_t first = cell.part.first;
  const std::int64_t all = total - first;
  const std::int64_t count =
      cell.part.count.value_or(cell.part.seconds ? std::min(unit, all) : all);
  std::ofstream(cell.spec.at("log").get<std::string>(), std::ios::app)
      << std::to_string(first) + "+" + std::to_string(count) + "\n";
  const auto die_at = cell.spec.value("die_at", std::int64_t{-1});
  if (first <= die_at && die_at < first + count &&
      is_first_time(cell.spec.at("marker").get<std::string>())) {
    ::raise(SIGKILL);
  }
  // Two workers on one cell: nobody ends the second part before somebody has begun the third.
  if (cell.spec.contains("meet")) {
    const auto folder = cell.spec.at("meet").get<std::string>();
    touch(folder + "/" + std::to_string(first));
    if (first == unit) wait_for(folder + "/" + std::to_string(2 * unit));
  }
  const wire::CellPart part = test::fake_part(first, count, total, unit);
  if (part.is_whole()) {
    base::write_frame(fd, wire::Result{cell.key, wire::put_together(std::span(&part, 1))});
  } else {
    base::write_frame(fd, wire::Part{cell.key, part});
  }
}

void execute(int fd, const wire::Execute& cell) {
  if (cell.spec.value("do", "") == "parts") return execute_part(fd, cell);
  const std::string what = cell.spec.value("do", "succeed");
  const std::string marker = cell.spec.value("marker", "");
  wire::Result answer{cell.key, good_result(cell)};
  std::cerr << "doing " << what << std::endl;
  if (cell.spec.contains("device_bytes")) {
    answer.result.device_peak_bytes = cell.spec.at("device_bytes").get<std::int64_t>();
  }

  if (what == "segfault") ::raise(SIGSEGV);
  if (what == "abort") std::abort();
  if (what == "exit") std::_Exit(cell.spec.value("code", 0));
  if (what == "throw")
    return fail(fd, cell, wire::FailureClass::kPluginError, "the plugin threw: no");
  if (what == "bad class") return fail(fd, cell, wire::FailureClass::kCrash, "not mine to say");
  if (what == "oom once" && is_first_time(marker))
    return fail(fd, cell, wire::FailureClass::kOutOfMemory, "out of memory");
  if (what == "device fault once" && is_first_time(marker)) {
    return fail(fd, cell, wire::FailureClass::kDeviceFault, "the device fell over");
  }
  if (what == "die once" && is_first_time(marker)) ::raise(SIGKILL);
  if (what == "die always") ::raise(SIGKILL);
  if (what == "oom") return fail(fd, cell, wire::FailureClass::kOutOfMemory, "out of memory");
  if (what == "garbage") return send_bytes(fd, "\xff\xff\xff\xffthis is not a frame");
  if (what == "not json") return send_bytes(fd, std::string("\x04\0\0\0", 4) + "abcd");
  if (what == "unknown frame") return base::write_frame(fd, json{{"type", "greetings"}});
  if (what == "missing field")
    return base::write_frame(fd, json{{"type", "result"}, {"key", cell.key}});
  if (what == "truncate") {
    const std::string frame = base::encode_frame(answer);
    send_bytes(fd, frame.substr(0, frame.size() / 2));
    std::_Exit(0);
  }
  if (what == "close descriptors") {
    for (int i = 0; i < 64; ++i) ::close(i);
    hang();
  }
  if (what == "leave a child") {
    // The child keeps the socket open, so only the end of the process tells of the crash.
    if (::fork() == 0) {
      touch(marker + "." + std::to_string(::getpid()));
      hang();
    }
    std::_Exit(7);
  }
  if (what == "hang") {
    if (!marker.empty()) touch(marker);
    hang();
  }
  if (what == "hang deaf") {
    ::signal(SIGTERM, SIG_IGN);
    if (!marker.empty()) touch(marker);
    hang();
  }
  if (what == "meet") {
    touch(marker);
    wait_for(cell.spec.at("other").get<std::string>());
  }
  if (what == "wait") {
    if (!marker.empty()) touch(marker);
    wait_for(cell.spec.at("other").get<std::string>());
  }
  if (what == "print") {
    const std::string line = std::string(99, '.') + "\n";
    for (std::int64_t i = 0; i < cell.spec.at("bytes").get<std::int64_t>() / 100; ++i) {
      std::fwrite(line.data(), 1, line.size(), stdout);
    }
    std::cout << "bad \xff\x1b byte\nlast line" << std::endl;
    if (cell.spec.value("crash", false)) std::abort();
  }
  if (what == "progress") {
    for (int i = 1; i <= 3; ++i) base::write_frame(fd, wire::CellProgress{cell.key, i, 3, "epoch"});
  }
  if (what == "grow") {
    static std::vector<std::string> kept;  // until this process ends
    kept.emplace_back(static_cast<std::size_t>(cell.spec.at("bytes").get<std::int64_t>()), 'x');
  }
  if (what == "fail once" && is_first_time(marker)) {
    return fail(fd, cell, wire::FailureClass::kPluginError, "not at first");
  }
  if (what == "spoil") answer.spoilt = "it changed the rounding mode";
  if (what == "throw and spoil") {
    return base::write_frame(
        fd,
        wire::Failure{
            cell.key, wire::FailureClass::kPluginError, "no", "it changed the rounding mode"});
  }
  if (what == "wrong key") answer.key = "another";
  if (what == "nan distance") answer.result.outcomes.at(0).distance = std::nan("");
  if (what == "no class") answer.result.outcomes.at(0).prediction = -1;
  if (what == "no parts") answer.result = {};
  if (what == "large result") {
    answer.result.outcomes.clear();
    for (std::int64_t i = 0; i < 20000; ++i) answer.result.outcomes.push_back({i, 1, 1, 2, 0.1, 3});
  }
  base::write_frame(fd, answer);
  if (what == "die after result") ::raise(SIGSEGV);
}

}  // namespace

int main(int argc, char** argv) {
  base::die_with_parent();
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::signal(SIGSEGV, SIG_DFL);  // a sanitizer would turn it into an exit with a report
  int fd = -1;
  std::string start;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::string(argv[i]) == "--fd") fd = std::atoi(argv[i + 1]);
    if (std::string(argv[i]) == "--start") start = argv[i + 1];
  }
  if (start.rfind("exit:", 0) == 0) {
    std::cerr << "the library is missing" << std::endl;
    return std::atoi(start.c_str() + 5);
  }
  // As if somebody killed it, three times.
  if (start.rfind("killed:", 0) == 0) {
    const std::string file = start.substr(7);
    std::ofstream(file, std::ios::app) << "x";
    if (std::filesystem::file_size(file) <= 3) ::raise(SIGKILL);
  }
  if (start == "hang") hang();
  if (start == "garbage") send_bytes(fd, "no frames spoken here");
  wire::Hello hello{::getpid(), "cpu", "none"};
  if (start.rfind("free:", 0) == 0) hello.free_device_bytes = std::atoll(start.c_str() + 5);
  base::write_frame(fd, hello);
  if (start == "greet_and_exit") return 0;

  try {
    while (const auto frame = base::read_frame(fd)) {
      const wire::HostMessage message = wire::parse_host_message(*frame);
      if (std::holds_alternative<wire::Stop>(message)) return 0;
      execute(fd, std::get<wire::Execute>(message));
    }
  } catch (const std::exception& error) {
    std::cerr << error.what() << std::endl;
    return 1;
  }
  return 0;
}

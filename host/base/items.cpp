#include "base/items.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <optional>
#include <string_view>
#include <utility>

#include "base/frames.hpp"
#include "base/pipe.hpp"
#include "base/unique_fd.hpp"
#include "unmask/errors.hpp"

namespace unmask::base {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr int kAnswerFd = 3;
constexpr std::size_t kLogTail = 2000;
constexpr std::size_t kLongestLine = std::size_t{64} << 20;

std::string seconds_text(double seconds) {
  std::string text = json(seconds).dump();
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text + " s";
}

// Bytes that a process has read so far, from files and from a disk; nullopt when nobody may know.
std::optional<std::uint64_t> bytes_read_by(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/io");
  std::uint64_t sum = 0;
  bool found = false;
  for (std::string name; in >> name;) {
    std::uint64_t value = 0;
    if (!(in >> value)) break;
    // Of what is mapped into memory only the second counter knows.
    if (name == "rchar:" || name == "read_bytes:") {
      sum += value;
      found = true;
    }
  }
  return found ? std::optional(sum) : std::nullopt;
}

// A child at work; killed with its process group and reaped when the object goes.
class ItemChild {
 public:
  ItemChild(const ItemCommand& command, const std::string& request)
      : reading_is_progress_(command.reading_is_progress) {
    ChildSpec spec;
    for (const std::string& argument : command.argv) {
      spec.argv.push_back(argument == "{fd}" ? std::to_string(kAnswerFd) : argument);
    }
    spec.env = command.env;
    const UniqueFd input = memory_file(request);
    Pipe answers, log;
    // What plugins print must not reach the user's terminal or a table; it is only shown when the
    // child fails.
    spec.fds = {{input.get(), 0},
                {answers.writer.get(), kAnswerFd},
                {log.writer.get(), 1},
                {log.writer.get(), 2}};
    spec.own_group = true;
    pid_ = spawn(spec);
    answers_ = std::move(answers.reader);
    log_ = std::move(log.reader);
  }
  ~ItemChild() { end(); }
  ItemChild(const ItemChild&) = delete;
  ItemChild& operator=(const ItemChild&) = delete;

  // The next whole line of the answers; nullopt at their end or when the time is up.
  std::optional<std::string> next_line(double timeout_s) {
    const auto span =
        std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(timeout_s));
    auto deadline = Clock::now() + span;
    has_read_on();
    for (;;) {
      if (const std::size_t end = received_.find('\n'); end != std::string::npos) {
        std::string line = received_.substr(0, end);
        received_.erase(0, end + 1);
        return line;
      }
      // Whoever floods the host is cut short; what is cut is no JSON.
      if (received_.size() > kLongestLine) return std::exchange(received_, {});
      if (!answers_) return std::nullopt;
      if (has_read_on()) deadline = Clock::now() + span;
      const double left_ms =
          std::chrono::duration<double, std::milli>(deadline - Clock::now()).count();
      if (left_ms <= 0) {
        is_late_ = true;
        return std::nullopt;
      }
      // Looks ten times in the span whether something was read.
      wait(static_cast<int>(std::ceil(std::min({left_ms, 100 * timeout_s, 60000.0}))));
    }
  }

  bool is_late() const noexcept { return is_late_; }

  // Kill what still runs, and say how the child ended.
  ExitStatus end() {
    if (pid_ > 0) {
      // A child that closed its answers is about to end by itself, and how it does is of interest.
      // One that does not is killed too.
      int status = 0;
      pid_t reaped = 0;
      const auto deadline = Clock::now() + std::chrono::seconds(5);
      while (!is_late_ && !answers_ && reaped == 0) {
        reaped = ::waitpid(pid_, &status, WNOHANG);
        if (reaped == 0 && Clock::now() > deadline) is_late_ = true;
        if (reaped == 0) ::poll(nullptr, 0, 2);
      }
      ::kill(-pid_, SIGKILL);
      while (reaped == 0 && ::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
      }
      pid_ = -1;
      status_ = exit_status(status);
      read_some(log_, said_);
    }
    return status_;
  }

  // The last lines that it and the plugins printed.
  std::string said() const {
    std::string text = said_.size() > kLogTail ? said_.substr(said_.size() - kLogTail) : said_;
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    return text;
  }

 private:
  void wait(int timeout_ms) {
    std::array<pollfd, 2> waits = {{{answers_.get(), POLLIN, 0}, {log_.get(), POLLIN, 0}}};
    const int ready = ::poll(waits.data(), waits.size(), timeout_ms);
    if (ready < 0 && errno != EINTR) {
      throw InternalError(std::string("cannot wait for a child: ") + std::strerror(errno));
    }
    if (ready <= 0) return;
    if (waits[1].revents != 0) read_some(log_, said_);
    if (said_.size() > 4 * kLogTail) said_.erase(0, said_.size() - kLogTail);
    if (waits[0].revents != 0) read_some(answers_, received_);
  }

  // True when it read something since the last question.
  bool has_read_on() {
    if (!reading_is_progress_) return false;
    const auto now = bytes_read_by(pid_);
    const bool is_more = now && now != bytes_read_;
    bytes_read_ = now;
    return is_more;
  }

  static void read_some(UniqueFd& fd, std::string& into) {
    std::array<char, 65536> piece{};
    const ssize_t n = fd ? ::read(fd.get(), piece.data(), piece.size()) : -1;
    if (n > 0) {
      into.append(piece.data(), static_cast<std::size_t>(n));
    } else if (n == 0 || (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)) {
      fd.reset();
    }
  }

  bool reading_is_progress_;
  pid_t pid_ = -1;
  UniqueFd answers_, log_;
  std::string received_, said_;
  std::optional<std::uint64_t> bytes_read_;
  bool is_late_ = false;
  ExitStatus status_;
};

// Signals that people, batch systems and the kernel short of memory send. A plugin may send them to
// itself, which a second try tells apart.
bool is_from_outside(const ExitStatus& status) {
  constexpr std::array kSent = {SIGKILL, SIGTERM, SIGINT, SIGHUP, SIGQUIT};
  return status.signal && std::find(kSent.begin(), kSent.end(), *status.signal) != kSent.end();
}

// The state of a round of questions.
class Round {
 public:
  Round(const ItemCommand& command, std::size_t count) : command_(command), count_(count) {}

  bool is_done() const { return is_complete_; }
  std::size_t next() const { return answers_.items.size(); }
  ItemAnswers take() { return std::move(answers_); }

  // Follow one child to its end.
  void follow(ItemChild& child) {
    is_working_ = is_disturbed_ = false;
    std::string nonsense;
    while (!is_complete_ && !is_disturbed_) {
      const auto line = child.next_line(command_.timeout_s);
      if (!line) break;
      try {
        take_line(json::parse(*line));
      } catch (const std::exception& problem) {
        is_disturbed_ = true;
        nonsense = problem.what();
      }
    }
    const ExitStatus status = child.end();
    if (is_complete_) return;
    if (is_disturbed_ && !is_working_) {
      throw InternalError(command_.purpose + ": the child answered nonsense: " + nonsense);
    }
    settle(child, status);
  }

 private:
  void take_line(const json& line) {
    if (line.contains("begin")) {
      if (is_working_ || next() == count_) throw InternalError("it begins an item out of turn");
      is_working_ = true;
    } else if (line.contains("end")) {
      if (next() != count_) throw InternalError("it ends before its work is done");
      answers_.end = line.at("end");
      is_complete_ = true;
    } else {
      if (!is_working_) throw InternalError("it answers what it was not asked");
      answers_.items.push_back({ItemAnswer::End::kAnswered, line.at("found"), ""});
      is_working_ = false;
      tries_ = 0;
    }
  }

  // The child is gone though there is work left.
  void settle(const ItemChild& child, const ExitStatus& status) {
    constexpr int kMostTries = 2;
    const bool may_retry = !child.is_late() && !is_disturbed_ && is_from_outside(status);
    if (may_retry && ++tries_ < kMostTries) return;
    tries_ = 0;
    if (!is_working_) {
      // Not an item's fault, so another child would end alike.
      const std::string said = child.said();
      throw PluginError(command_.purpose + ": the process '" + command_.argv.front() + "' " +
                        (child.is_late()
                             ? "did not answer within " + seconds_text(command_.timeout_s)
                             : describe(status)) +
                        (said.empty() ? "" : "; it said: " + said));
    }
    using End = ItemAnswer::End;
    const End end = is_disturbed_     ? End::kDisturbed
                    : child.is_late() ? End::kLate
                    : status.signal   ? End::kCrashed
                                      : End::kExited;
    answers_.items.push_back(
        {end, nullptr, end == End::kLate ? seconds_text(command_.timeout_s) : describe(status)});
  }

  const ItemCommand& command_;
  std::size_t count_;
  ItemAnswers answers_;
  int tries_ = 0;  // of the item, or the start, at hand
  bool is_complete_ = false;
  bool is_working_ = false;
  bool is_disturbed_ = false;
};

}  // namespace

ItemAnswers ask_items(const ItemCommand& command,
                      std::size_t count,
                      const std::function<nlohmann::json(std::size_t first)>& request) {
  Round round(command, count);
  while (!round.is_done()) {
    ItemChild child(command, encode_request(request(round.next())));
    round.follow(child);
  }
  return round.take();
}

std::string encode_request(const json& request) {
  const std::vector<std::uint8_t> bytes = json::to_cbor(request);
  return {bytes.begin(), bytes.end()};
}

json read_request(int fd) {
  std::string bytes;
  std::array<char, 65536> piece{};
  for (;;) {
    const ssize_t n = ::read(fd, piece.data(), piece.size());
    if (n == 0) break;
    if (n > 0) {
      bytes.append(piece.data(), static_cast<std::size_t>(n));
    } else if (errno != EINTR) {
      throw FrameError(std::string("cannot read a request: ") + std::strerror(errno));
    }
  }
  try {
    // Somebody who starts an engine by hand writes JSON text; no request of ours begins like one.
    return bytes.starts_with('{') ? json::parse(bytes) : json::from_cbor(bytes);
  } catch (const json::exception& error) {
    throw FrameError(std::string("a request cannot be read: ") + error.what());
  }
}

bool ItemWriter::begin() {
  return write_line({{"begin", true}});
}

bool ItemWriter::found(const json& answer) {
  return write_line({{"found", answer}});
}

bool ItemWriter::end(const json& facts) {
  return write_line({{"end", facts}});
}

bool ItemWriter::write_line(const json& answer) const {
  const std::string line = answer.dump(-1, ' ', true, json::error_handler_t::replace) + "\n";
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t n = ::write(fd_, rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

}  // namespace unmask::base

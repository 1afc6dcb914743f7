#pragma once
// One worker process as the host sees it: a command started with one end of a socket pair, frames
// in and out without ever blocking, and what it prints. The host never waits for a worker in here;
// the poll loop in runner.cpp does all the waiting.

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/child.hpp"
#include "base/frames.hpp"
#include "base/unique_fd.hpp"

namespace unmask::run {

/// The descriptor under which a worker finds its socket.
inline constexpr int kWorkerFd = 3;

/// How to start a worker. An argument that is exactly "{fd}" becomes the number of the socket:
/// {"unmask", "worker", "--fd", "{fd}", "--device", "cpu"}.
struct WorkerCommand {
  std::vector<std::string> argv;
  std::vector<std::string> env;  ///< "NAME=value"; added to the host's environment
  std::string input = {};        ///< what it finds on standard input
};

/// What one worker printed. A file with a limit takes it; the last lines since the current cell
/// began are also kept in memory, for the record of a failure.
class WorkerLog {
 public:
  /// @param file empty: keep the tail only. An existing file is replaced.
  /// @param limit_bytes how much one cell may add to the file; when more is in it, the next cell
  ///        starts the file anew, so it never holds more than about twice the limit
  WorkerLog(const std::filesystem::path& file, std::size_t limit_bytes);

  /// What comes from now on belongs to this cell.
  void begin(const std::string& heading);
  void append(std::string_view bytes);

  /// Empty when only the tail is kept.
  const std::filesystem::path& file() const noexcept { return name_; }

  /// The last 20 lines, at most 4 KiB, since begin(); valid UTF-8.
  std::string tail() const;

 private:
  void write(std::string_view bytes);

  std::filesystem::path name_;
  base::UniqueFd file_;
  std::size_t limit_ = 0;
  std::size_t in_file_ = 0;  // bytes in the file
  std::size_t of_cell_ = 0;  // bytes in the file since begin()
  std::string recent_;       // the last bytes since begin(), a few KiB
};

/// A running worker. Killed and reaped, with its process group, when the object goes.
class WorkerProcess {
 public:
  /// Start the command. @throws InternalError when it cannot be started
  explicit WorkerProcess(const WorkerCommand& command, WorkerLog& log);
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  pid_t pid() const noexcept { return pid_; }
  int socket_fd() const noexcept { return socket_.get(); }  ///< -1 once the worker closed it
  int output_fd() const noexcept { return output_.get(); }  ///< -1 likewise
  bool wants_to_write() const noexcept { return socket_ && sent_ < outgoing_.size(); }

  /// Queue a message and send what the kernel takes now; flush() sends more.
  void send(const nlohmann::json& message);
  void flush();

  /// Take in what has arrived on the socket. Frames wait for next_frame().
  void receive();
  /// Take in what it printed.
  void read_output();

  /// @throws base::FrameError when the stream holds something else than a frame
  std::optional<nlohmann::json> next_frame() { return decoder_.next(); }

  /// The stream ended inside of a frame.
  bool is_truncated() const noexcept { return !socket_ && decoder_.is_inside_frame(); }

  /// It ended without reading all that it was sent: the last message never reached it.
  bool left_messages_unread() const noexcept { return left_unread_; }

  /// How it ended, once it has; never waits. At the end its whole process group is killed, and the
  /// last frames and lines are taken in.
  std::optional<base::ExitStatus> poll_exit();

  /// Signal its process group.
  void signal(int number);

 private:
  WorkerLog& log_;
  pid_t pid_ = -1;
  base::UniqueFd socket_, output_;
  base::FrameDecoder decoder_;
  std::string outgoing_;
  std::size_t sent_ = 0;
  bool left_unread_ = false;
  std::optional<base::ExitStatus> status_;
};

}  // namespace unmask::run

#pragma once
// Work on many items, one after the other, in a child that any of them may take down: libraries to
// load, plugins to construct, data sets to read. The child says which item it begins and what came
// of it. When it dies, hangs or ends in the middle of an item, that item gets the blame and a new
// child goes on with the next one. A child that was killed from outside is simply started again.

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/child.hpp"

namespace unmask::base {

/// How the child is started, and how long one item may take.
struct ItemCommand {
  /// An argument that is exactly "{fd}" becomes the number of the descriptor for its answers.
  std::vector<std::string> argv;
  std::vector<std::string> env;  ///< "NAME=value"; added to the environment of this process
  double timeout_s = 30;         ///< for one item, and for the start of the child
  /// Time in which the child read something does not count: reading a large data set is no hang.
  bool reading_is_progress = false;
  std::string purpose;  ///< for messages: "plugins cannot be listed"
};

/// What came of one item.
struct ItemAnswer {
  enum class End {
    kAnswered,   ///< `answer` holds it
    kCrashed,    ///< a signal ended the child
    kExited,     ///< the child ended itself
    kLate,       ///< its time was up
    kDisturbed,  ///< something wrote nonsense where answers belong
  };
  End end = End::kAnswered;
  nlohmann::json answer;
  std::string ending;  ///< "killed by signal 11 (Segmentation fault)"; "30 s" of kLate
};

struct ItemAnswers {
  std::vector<ItemAnswer> items;  ///< one for each item, in their order
  nlohmann::json end;             ///< what the last child said at the end of its work
};

/// Have all items answered.
/// @param request  what a child that begins with this item is told; it reads it with read_request()
/// @throws PluginError when the child fails though it works on no item
ItemAnswers ask_items(const ItemCommand& command,
                      std::size_t count,
                      const std::function<nlohmann::json(std::size_t first)>& request);

/// Bytes of a request as a child finds them on descriptor 0: of any size, unlike an argument. Its
/// texts may hold bytes that are not UTF-8, as the names of files do.
std::string encode_request(const nlohmann::json& request);

/// The child's side: the request on a descriptor, to its end. @throws FrameError if it is none
nlohmann::json read_request(int fd);

/// The child's side: says what it does, as lines of JSON. A text that is not UTF-8 has its bad
/// bytes replaced: what plugins say may hold anything.
class ItemWriter {
 public:
  explicit ItemWriter(int fd) : fd_(fd) {}

  /// The next item is begun, is done, all are done. @return false when nobody listens any more
  bool begin();
  bool found(const nlohmann::json& answer);
  bool end(const nlohmann::json& facts);

 private:
  bool write_line(const nlohmann::json& line) const;

  int fd_;
};

}  // namespace unmask::base

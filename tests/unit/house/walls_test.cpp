// The walls of the house: which room may include which, as docs/architecture.md draws it. Reads the
// sources themselves, so a crossing is found before anything is built with it.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/house/sources.hpp"

namespace unmask::house::walls_test {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Every room with the rooms that it may include, besides itself. The SDK ("unmask/...") is open to
// all; what of it brings LibTorch is open to those of kTorchRooms alone. A new room gets a row here
// and in docs/architecture.md; a row that points upwards makes a ring and fails the first test.
const std::map<std::string, std::set<std::string>> kRooms = {
    {"base", {}},
    {"text", {"base"}},
    {"table", {"base", "text"}},
    {"catalog", {"base", "text"}},
    {"wire", {"base", "text", "catalog"}},
    {"loader", {"base", "text", "catalog"}},
    {"ode", {"base"}},
    {"conformance", {"base", "text", "catalog", "loader", "ode"}},
    {"manifest", {"base", "text", "catalog", "wire"}},
    {"plan", {"base", "text", "catalog", "wire", "manifest"}},
    {"engine", {"base", "text", "catalog", "wire", "loader", "ode", "conformance"}},
    {"store", {"base", "text", "table", "catalog", "wire"}},
    {"verdict", {"base", "text", "table", "catalog", "wire", "store"}},
    {"results", {"base", "text", "table", "catalog", "wire", "store", "verdict"}},
    {"report", {"base", "text", "table", "catalog", "wire", "store", "verdict", "results"}},
    {"run", {"base", "text", "catalog", "wire", "plan", "store"}},
    {"watch", {"base", "text", "table", "catalog", "wire", "store", "run"}},
    {"cli",
     {"base",
      "text",
      "table",
      "catalog",
      "wire",
      "loader",
      "manifest",
      "plan",
      "store",
      "verdict",
      "results",
      "report",
      "run",
      "watch"}}};

// Rooms with LibTorch. The loader's half for the host has none of it and is a target of its own.
const std::set<std::string> kTorchRooms = {"loader", "ode", "conformance", "engine"};

// Folders of host/ that are no rooms: they are installed, or run while building.
const std::set<std::string> kOther = {"sdk", "kit", "fingerprint"};

struct Include {
  std::string place;  // "host/run/runner.cpp:12"
  std::string name;   // between quotes or angle brackets
  bool is_quoted = false;
};

std::vector<Include> includes_of(const fs::path& file, const fs::path& root) {
  std::vector<Include> result;
  std::ifstream in(file);
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    std::istringstream words(line);
    std::string directive;
    std::string name;
    words >> directive >> name;
    if (directive != "#include" || name.size() < 3) continue;
    result.push_back({file.lexically_relative(root).string() + ":" + std::to_string(number),
                      name.substr(1, name.size() - 2),
                      name.front() == '"'});
  }
  return result;
}

bool is_of_torch(const std::string& name) {
  const auto begins = [&](const char* folder) { return name.rfind(folder, 0) == 0; };
  return begins("torch/") || begins("ATen/") || begins("c10/");
}

std::string room_of(const std::string& name) {
  const auto slash = name.find('/');
  return slash == std::string::npos ? "" : name.substr(0, slash);
}

// The tree below a root as the walls see it.
class House {
 public:
  explicit House(fs::path root) : root_(std::move(root)) {}

  std::vector<std::string> crossings() {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(root_ / "host")) {
      const std::string room = entry.path().filename().string();
      if (!entry.is_directory() || kOther.contains(room)) continue;
      if (!kRooms.contains(room)) {
        found.push_back("host/" + room + " is no room of the table in tests/unit/house");
        continue;
      }
      for (const fs::path& file : sources_below(entry.path())) {
        // Sources that `unmask plugins new` writes out are no part of the room.
        const bool is_template =
            file.lexically_relative(entry.path()).begin()->string() == "templates";
        if (is_template) {
          check_plugin(file, found);
        } else {
          check_room(room, file, found);
        }
      }
    }
    for (const fs::path& file : sources_below(root_ / "plugins")) check_plugin(file, found);
    for (const fs::path& file : sources_below(root_ / "host" / "kit")) check_plugin(file, found);
    for (const fs::path& file : sources_below(root_ / "host" / "sdk")) check_sdk(file, found);
    std::sort(found.begin(), found.end());
    return found;
  }

 private:
  void check_room(const std::string& room, const fs::path& file, std::vector<std::string>& found) {
    for (const Include& include : includes_of(file, root_)) {
      const std::string other = room_of(include.name);
      const auto report = [&](const std::string& what) {
        found.push_back(include.place + ": " + room + " includes " + include.name + what);
      };
      if (!kTorchRooms.contains(room) && brings_torch(include)) report(", which needs LibTorch");
      if (!include.is_quoted || other == "unmask" || other == room) continue;
      if (!kRooms.contains(other) || !kRooms.at(room).contains(other)) report("");
    }
  }

  // Plugins and the kit see the SDK, the kit and what stands beside them.
  void check_plugin(const fs::path& file, std::vector<std::string>& found) {
    for (const Include& include : includes_of(file, root_)) {
      if (!include.is_quoted || room_of(include.name) == "unmask") continue;
      if (fs::exists(file.parent_path() / include.name)) continue;
      found.push_back(include.place + ": a plugin includes " + include.name);
    }
  }

  void check_sdk(const fs::path& file, std::vector<std::string>& found) {
    for (const Include& include : includes_of(file, root_)) {
      if (!include.is_quoted || fs::exists(file.parent_path() / include.name)) continue;
      const bool is_kit = include.name.rfind("unmask/kit/", 0) == 0;
      if (room_of(include.name) == "unmask" && !is_kit) continue;
      if (include.name == "unmask_fingerprint.hpp") continue;  // made for each plugin by its build
      found.push_back(include.place + ": the SDK includes " + include.name);
    }
  }

  // Directly, or by way of headers of the SDK. (Headers of the rooms are looked at for themselves.)
  bool brings_torch(const Include& include) {
    if (!include.is_quoted) return is_of_torch(include.name);
    if (room_of(include.name) != "unmask") return false;
    const auto [known, is_new] = brings_torch_.try_emplace(include.name, false);
    if (!is_new) return known->second;
    const bool is_kit = include.name.rfind("unmask/kit/", 0) == 0;
    const fs::path header = root_ / "host" / (is_kit ? "kit" : "sdk") / "include" / include.name;
    const std::vector<Include> inner = includes_of(header, root_);
    const bool brings = std::any_of(
        inner.begin(), inner.end(), [&](const Include& one) { return brings_torch(one); });
    return brings_torch_[include.name] = brings;
  }

  fs::path root_;
  std::map<std::string, bool> brings_torch_;
};

// A house of a few files that a test builds itself.
class SmallHouse : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(root_);
    fs::create_directories(root_ / "host");
  }
  void TearDown() override { fs::remove_all(root_); }

  void write(const std::string& file, const std::string& text) {
    fs::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << "// a line\n" << text << "\n";
  }
  std::vector<std::string> crossings() { return House(root_).crossings(); }

  const fs::path root_ =
      fs::path(::testing::TempDir()) /
      ("house_" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
};

TEST(Walls, StandOnOneAnother) {
  // Take away, again and again, every room that rests on none that is left: a ring would stay.
  auto left = kRooms;
  bool has_changed = true;
  while (has_changed) {
    has_changed = std::erase_if(left, [&](const auto& room) {
                    return std::none_of(
                        room.second.begin(), room.second.end(), [&](const std::string& below) {
                          return left.contains(below);
                        });
                  }) > 0;
  }

  EXPECT_TRUE(left.empty()) << "a ring of rooms, one of them " << left.begin()->first;
}

TEST(Walls, AreNotCrossed) {
  EXPECT_THAT(House(UNMASK_SOURCE_DIR).crossings(), IsEmpty());
}

TEST(Walls, AreDrawnInTheArchitecture) {
  std::stringstream text;
  text << std::ifstream(fs::path(UNMASK_SOURCE_DIR) / "docs" / "architecture.md").rdbuf();

  for (const auto& [room, below] : kRooms) {
    if (!fs::exists(fs::path(UNMASK_SOURCE_DIR) / "host" / room)) continue;
    EXPECT_NE(text.str().find("\nhost/" + room + "/ "), std::string::npos)
        << "the drawing lacks the room " << room;
  }
}

TEST_F(SmallHouse, MayRestOnWhatStandsBelow) {
  write("host/manifest/a.hpp", "#include \"wire/cell.hpp\"\n#include \"manifest/b.hpp\"");
  write("plugins/solvers/rk4/rk4.cpp", "#include \"unmask/solver.hpp\"\n#include \"own.hpp\"");
  write("plugins/solvers/rk4/own.hpp", "#include <torch/types.h>");

  EXPECT_THAT(crossings(), IsEmpty());
}

TEST_F(SmallHouse, ReportsALookUpwards) {
  write("host/loader/a.cpp", "#include \"manifest/study.hpp\"");

  EXPECT_THAT(crossings(), ElementsAre("host/loader/a.cpp:2: loader includes manifest/study.hpp"));
}

TEST_F(SmallHouse, ReportsLibTorchInARoomWithoutIt) {
  write("host/store/a.cpp", "#include <ATen/core/Tensor.h>");

  EXPECT_THAT(
      crossings(),
      ElementsAre("host/store/a.cpp:2: store includes ATen/core/Tensor.h, which needs LibTorch"));
}

TEST_F(SmallHouse, ReportsLibTorchBehindAHeaderOfTheSdk) {
  write("host/sdk/include/unmask/attack.hpp", "#include \"unmask/tensor.hpp\"");
  write("host/sdk/include/unmask/tensor.hpp", "#include <ATen/core/Tensor.h>");
  write("host/plan/a.hpp", "#include \"unmask/attack.hpp\"");
  write("host/engine/a.hpp", "#include \"unmask/attack.hpp\"");

  EXPECT_THAT(
      crossings(),
      ElementsAre("host/plan/a.hpp:2: plan includes unmask/attack.hpp, which needs LibTorch"));
}

TEST_F(SmallHouse, ReportsAPluginThatReachesIntoTheHost) {
  write("plugins/attacks/pgd/pgd.cpp", "#include \"engine/target.hpp\"");

  EXPECT_THAT(crossings(),
              ElementsAre("plugins/attacks/pgd/pgd.cpp:2: a plugin includes engine/target.hpp"));
}

TEST_F(SmallHouse, ReportsAnSdkThatRestsOnTheHost) {
  write("host/sdk/src/a.cpp", "#include \"base/files.hpp\"");

  EXPECT_THAT(crossings(), ElementsAre("host/sdk/src/a.cpp:2: the SDK includes base/files.hpp"));
}

TEST_F(SmallHouse, ReportsARoomThatNobodyDrew) {
  write("host/attic/a.cpp", "");

  EXPECT_THAT(crossings(), ElementsAre("host/attic is no room of the table in tests/unit/house"));
}

}  // namespace
}  // namespace unmask::house::walls_test

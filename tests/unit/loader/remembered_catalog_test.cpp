// Libraries are looked at once, and again when anything that the answer hangs on has changed.

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/files.hpp"
#include "loader/discover.hpp"

namespace unmask::loader::remembered_catalog_test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class RememberedCatalogTest : public ::testing::Test {
 protected:
  RememberedCatalogTest() {
    for (const char* name : {"a.so", "b.so", "engine.so"}) {
      base::write_file_atomically(folder_.path() / name, name);
    }
    // A file that was written this moment is not relied on, and nobody can set the time of an
    // inode's change: files that have rested are borrowed from the system.
    for (const fs::directory_entry& entry : fs::directory_iterator("/usr/bin")) {
      if (entry.is_regular_file() && !entry.is_symlink()) old_.push_back(entry.path());
      if (old_.size() == 3) break;
    }
  }

  // Every file but `refused_` is a probe called after it.
  Inspection inspect(const std::vector<fs::path>& files) {
    looked_at_.insert(looked_at_.end(), files.begin(), files.end());
    Inspection found;
    found.cuda_devices = 3;
    found.engine_files = {engine_.string()};
    for (const fs::path& file : files) {
      if (file == refused_) {
        found.refusals.push_back({file, "crashes"});
        continue;
      }
      catalog::PluginRecord record;
      record.kind = "probe";
      record.id = file.filename().string();
      record.fingerprint = "f";
      record.file = file;
      found.records.push_back(record);
    }
    return found;
  }

  // Which files a call looks at; the catalog is kept in catalog_.
  std::vector<fs::path> look(const std::vector<fs::path>& files, const json& host = "host") {
    looked_at_.clear();
    calls_ = 0;
    catalog_ = remembered_catalog(cache_, host, files, [&](const std::vector<fs::path>& unknown) {
      ++calls_;
      return inspect(unknown);
    });
    return looked_at_;
  }

  base::TempFolder folder_;
  base::Cache cache_{folder_.path() / "cache"};
  std::vector<fs::path> old_;
  fs::path engine_ = "/bin/sh";
  fs::path refused_;
  std::vector<fs::path> looked_at_;
  int calls_ = 0;
  catalog::Catalog catalog_;
};

TEST_F(RememberedCatalogTest, LooksAtALibraryOnce) {
  EXPECT_EQ(look(old_), old_);
  const json first = catalog_;
  const std::string engine = catalog_.engine;

  look(old_);

  EXPECT_EQ(calls_, 0);
  EXPECT_EQ(json(catalog_), first);
  EXPECT_EQ(catalog_.plugins.size(), 3U);
  EXPECT_EQ(catalog_.cuda_devices, 3);
  EXPECT_EQ(catalog_.engine, engine);
  EXPECT_EQ(engine.size(), 64U);
}

TEST_F(RememberedCatalogTest, LooksAtALibraryAgainThatIsTooNew) {
  const std::vector<fs::path> files = {old_[0], folder_.path() / "a.so"};
  look(files);

  EXPECT_EQ(look(files), std::vector<fs::path>{files[1]});
  EXPECT_EQ(catalog_.plugins.size(), 2U);
}

TEST_F(RememberedCatalogTest, LooksAtARefusedLibraryAgain) {
  refused_ = old_[1];
  look(old_);
  ASSERT_EQ(catalog_.refusals.size(), 1U);

  refused_.clear();

  EXPECT_EQ(look(old_), std::vector<fs::path>{old_[1]});
  EXPECT_TRUE(catalog_.refusals.empty());
  EXPECT_EQ(catalog_.plugins.size(), 3U);
}

TEST_F(RememberedCatalogTest, LooksAtAllWhenTheSurroundingsDiffer) {
  look(old_);

  EXPECT_EQ(look(old_, "another host"), old_);
}

TEST_F(RememberedCatalogTest, LooksAtAllWhenTheEngineIsNew) {
  engine_ = folder_.path() / "engine.so";  // written this moment
  look(old_);
  EXPECT_EQ(catalog_.engine, "");

  EXPECT_EQ(look(old_), old_);
}

TEST_F(RememberedCatalogTest, LooksAtAllWhenTheEngineHasChanged) {
  engine_ = folder_.path() / "link";
  fs::create_symlink(old_[0], engine_);
  look(old_);
  look(old_);
  ASSERT_EQ(calls_, 0);
  const std::string before = catalog_.engine;

  fs::remove(engine_);
  fs::create_symlink(old_[1], engine_);

  EXPECT_EQ(look(old_), old_);
  EXPECT_NE(catalog_.engine, before);
}

TEST_F(RememberedCatalogTest, LooksAgainAtALibraryThatHasChanged) {
  const fs::path link = folder_.path() / "link.so";
  fs::create_symlink(old_[0], link);
  look({old_[2], link});
  look({old_[2], link});
  ASSERT_EQ(calls_, 0);

  fs::remove(link);
  fs::create_symlink(old_[1], link);

  EXPECT_EQ(look({old_[2], link}), std::vector<fs::path>{link});
}

TEST_F(RememberedCatalogTest, LooksAtAllWhenTheMemoryIsDamaged) {
  look(old_);
  for (const auto& entry : fs::directory_iterator(folder_.path() / "cache")) {
    base::write_file_atomically(entry.path(), "nonsense");
  }

  EXPECT_EQ(look(old_), old_);
  look(old_);
  EXPECT_EQ(calls_, 0);
}

TEST_F(RememberedCatalogTest, WorksWithoutAMemory) {
  cache_ = base::Cache("");
  look(old_);

  EXPECT_EQ(look(old_), old_);
  EXPECT_EQ(catalog_.plugins.size(), 3U);
}

}  // namespace
}  // namespace unmask::loader::remembered_catalog_test

#include "cli/site_profile.hpp"

#include <array>
#include <variant>

#include "base/files.hpp"
#include "text/suggest.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

using nlohmann::json;

struct Member {
  using Place = std::variant<std::string SiteProfile::*,
                             std::optional<int> SiteProfile::*,
                             int SiteProfile::*,
                             std::vector<std::string> SiteProfile::*>;
  const char* name;
  Place place;
};

constexpr std::array<Member, 15> kMembers = {{{"partition", &SiteProfile::partition},
                                              {"account", &SiteProfile::account},
                                              {"qos", &SiteProfile::qos},
                                              {"constraint", &SiteProfile::constraint},
                                              {"gres", &SiteProfile::gres},
                                              {"memory", &SiteProfile::memory},
                                              {"time", &SiteProfile::time},
                                              {"merge_time", &SiteProfile::merge_time},
                                              {"cpus_per_task", &SiteProfile::cpus_per_task},
                                              {"max_parallel", &SiteProfile::max_parallel},
                                              {"stop_before_s", &SiteProfile::stop_before_s},
                                              {"max_requeues", &SiteProfile::max_requeues},
                                              {"modules", &SiteProfile::modules},
                                              {"prologue", &SiteProfile::prologue},
                                              {"sbatch", &SiteProfile::sbatch}}};

int whole_number(const json& value) {
  if (!value.is_number_integer() || value.get<double>() < 0 || value.get<double>() > 1e9) {
    throw DataError("a whole number of at least 0");
  }
  return value.get<int>();
}

// These stand in comments of a script or are lines of it: a line break would begin another.
std::string line_of(const json& value) {
  if (!value.is_string() ||
      value.get_ref<const std::string&>().find_first_of("\n\r") != std::string::npos) {
    throw DataError("a text of one line");
  }
  return value.get<std::string>();
}

void set(SiteProfile& profile, std::string SiteProfile::*place, const json& value) {
  profile.*place = line_of(value);
}
void set(SiteProfile& profile, std::optional<int> SiteProfile::*place, const json& value) {
  profile.*place = whole_number(value);
  if (*(profile.*place) < 1) throw DataError("a whole number of at least 1");
}
void set(SiteProfile& profile, int SiteProfile::*place, const json& value) {
  profile.*place = whole_number(value);
}
void set(SiteProfile& profile, std::vector<std::string> SiteProfile::*place, const json& value) {
  if (!value.is_array()) throw DataError("a list of texts");
  for (const json& one : value) (profile.*place).push_back(line_of(one));
}

void put(json& object, const char* name, const std::string& value) {
  if (!value.empty()) object[name] = value;
}
void put(json& object, const char* name, const std::optional<int>& value) {
  if (value) object[name] = *value;
}
void put(json& object, const char* name, int value) {
  object[name] = value;
}
void put(json& object, const char* name, const std::vector<std::string>& value) {
  if (!value.empty()) object[name] = value;
}

}  // namespace

SiteProfile site_profile_from(const json& object, const std::string& name) {
  if (!object.is_object()) throw ManifestError("the profile " + name + " is no JSON object");
  SiteProfile profile;
  for (const auto& [key, value] : object.items()) {
    const Member* member = nullptr;
    std::vector<std::string> names;
    for (const Member& one : kMembers) {
      names.emplace_back(one.name);
      if (key == one.name) member = &one;
    }
    if (member == nullptr) {
      throw ManifestError("the profile " + name + " has an unknown member \"" + key + "\"\n" +
                          words::help_for_unknown(key, names, "members"));
    }
    try {
      const auto& given = value;  // clang 14 captures no structured binding
      std::visit([&](const auto place) { set(profile, place, given); }, member->place);
    } catch (const DataError& rule) {
      throw ManifestError("the profile " + name + ": \"" + key + "\" must be " + rule.what() +
                          ", not " + value.dump());
    }
  }
  return profile;
}

SiteProfile read_site_profile(const std::filesystem::path& file) {
  json object;
  try {
    object = json::parse(base::read_file(file), nullptr, true, true);
  } catch (const json::exception& error) {
    throw ManifestError("the profile " + file.string() + " is no JSON: " + error.what());
  }
  return site_profile_from(object, file.string());
}

json to_json(const SiteProfile& profile) {
  json object = json::object();
  for (const Member& member : kMembers) {
    std::visit([&](const auto place) { put(object, member.name, profile.*place); }, member.place);
  }
  return object;
}

}  // namespace unmask::cli

#include "conformance/child.hpp"

#include <algorithm>
#include <filesystem>
#include <string>

#include "catalog/params_json.hpp"
#include "conformance/claim.hpp"
#include "conformance/kinds.hpp"
#include "loader/library.hpp"

namespace unmask::conformance {
namespace {

using nlohmann::json;

void write_line(std::FILE* out, const json& value) {
  const std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  std::fwrite(text.data(), 1, text.size(), out);
  std::fflush(out);
}

// The kind in a name like "attack_pgd.so", as unmask_add_plugin() makes it; "" when there is none.
std::string kind_in_name(const std::filesystem::path& file, const std::string& id) {
  const std::string stem = file.stem().string();
  for (const char* kind : catalog::kKinds) {
    if (stem == std::string(kind) + "_" + id) return kind;
  }
  return "";
}

bool try_all(std::span<const Claim> claims, const Subject& subject, std::FILE* out) {
  bool all_hold = true;
  for (const Claim& claim : claims) {
    write_line(out, {{"trying", claim.words}});
    const Verdict verdict = try_claim(claim, subject);
    all_hold = all_hold && verdict.holds();
    write_line(out,
               {{"words", claim.words},
                {"problems", verdict.problems},
                {"not_applicable", verdict.not_applicable}});
    // What cannot be made fails every other claim alike.
    if (!verdict.holds() && claim.experiment == construction_claim().experiment) return false;
  }
  return all_hold;
}

}  // namespace

void answer_claims(const json& request, std::FILE* out) {
  const std::filesystem::path file = request.at("file").get<std::string>();
  const loader::PluginLibrary library = loader::PluginLibrary::open(file);
  const catalog::PluginRecord& record = library.record();
  Subject subject;
  subject.kind = record.kind;
  subject.id = record.id;
  subject.built_as = kind_in_name(file, record.id);
  subject.params = record.params;
  subject.capabilities = record.capabilities;
  subject.values = catalog::params_from_json(record.params, request.at("params"), {}).values();
  subject.create = [&library](const Params& params, const void* context) {
    return library.create(params, context);
  };
  // What a wrong declaration leads to elsewhere would only repeat it.
  if (try_all(declaration_claims(), subject, out) && !request.at("only_declaration").get<bool>()) {
    try_all(claims_of(subject.kind), subject, out);
  }
  write_line(out, {{"done", true}});
}

}  // namespace unmask::conformance

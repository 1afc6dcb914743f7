#pragma once
// A specification as a plan holds it: 100,000 cells of one study are made of a few hundred members, so
// each member exists once, with its canonical text, and cells point at it.
//
//   const SharedMember model = share("model", plugin_part(...));
//   Spec spec({share("kind", "attack"), model, ...});
//   spec.at("model").at("plugin"); spec.dump(); spec.whole();

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace unmask::wire {

/// One member of a specification. Never changes.
class SpecMember {
 public:
  /// @throws nlohmann::json::type_error for text that is not UTF-8, which has no canonical form
  SpecMember(std::string name, nlohmann::json value);

  const std::string& name() const noexcept { return name_; }
  const nlohmann::json& value() const noexcept { return value_; }
  /// `"name":value` as dump() of the whole object has it.
  const std::string& text() const noexcept { return text_; }

 private:
  std::string name_;
  nlohmann::json value_;
  std::string text_;
};

using SharedMember = std::shared_ptr<const SpecMember>;

SharedMember share(std::string name, nlohmann::json value);

/// A JSON object. Copies share their members; set() changes one copy alone.
class Spec {
 public:
  using Members = std::vector<SharedMember>;

  Spec() = default;
  /// @param members  in any order, each name once
  explicit Spec(Members members);
  /// Members that nobody else has. @throws nlohmann::json::type_error when it is no object
  Spec(const nlohmann::json& object);             // NOLINT: a specification is JSON
  Spec(nlohmann::json::initializer_list_t init);  // NOLINT: likewise

  /// nullptr when there is none of this name.
  const nlohmann::json* find(std::string_view name) const;
  bool contains(std::string_view name) const { return find(name) != nullptr; }
  /// @throws nlohmann::json::out_of_range
  const nlohmann::json& at(std::string_view name) const;
  template <class T>
  T value(std::string_view name, T missing) const {
    const nlohmann::json* found = find(name);
    return found == nullptr ? missing : found->get<T>();
  }

  void set(const std::string& name, nlohmann::json value);

  /// In the order of their names.
  const Members& members() const noexcept;
  /// The member itself; null when there is none of this name.
  SharedMember member(std::string_view name) const;

  /// Canonical text: that of whole().dump().
  std::string dump() const;
  /// The object, made anew.
  nlohmann::json whole() const;

  friend bool operator==(const Spec& a, const Spec& b) { return a.whole() == b.whole(); }
  friend bool operator==(const Spec& a, const nlohmann::json& b) { return a.whole() == b; }

 private:
  std::shared_ptr<const Members> members_;  // null: none
};

void to_json(nlohmann::json& json, const Spec& spec);

}  // namespace unmask::wire

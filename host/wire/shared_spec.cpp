#include "wire/shared_spec.hpp"

#include <algorithm>

namespace unmask::wire {
namespace {

using nlohmann::json;

bool comes_before(const SharedMember& a, const SharedMember& b) {
  return a->name() < b->name();
}

Spec::Members members_of_object(const json& object) {
  if (!object.is_object()) {
    throw json::type_error::create(302, "a specification is an object", &object);
  }
  Spec::Members members;
  for (const auto& [name, value] : object.items()) members.push_back(share(name, value));
  return members;
}

}  // namespace

SpecMember::SpecMember(std::string name, json value)
    : name_(std::move(name)),
      value_(std::move(value)),
      text_(json(name_).dump() + ":" + value_.dump()) {}

SharedMember share(std::string name, json value) {
  return std::make_shared<const SpecMember>(std::move(name), std::move(value));
}

Spec::Spec(Members members) {
  std::sort(members.begin(), members.end(), comes_before);
  members_ = std::make_shared<const Members>(std::move(members));
}

Spec::Spec(const json& object) : Spec(members_of_object(object)) {}

Spec::Spec(json::initializer_list_t init) : Spec(json(init)) {}

const Spec::Members& Spec::members() const noexcept {
  static const Members kNone;
  return members_ ? *members_ : kNone;
}

SharedMember Spec::member(std::string_view name) const {
  // Too few for anything cleverer.
  for (const SharedMember& member : members()) {
    if (member->name() == name) return member;
  }
  return nullptr;
}

const json* Spec::find(std::string_view name) const {
  for (const SharedMember& member : members()) {
    if (member->name() == name) return &member->value();
  }
  return nullptr;
}

const json& Spec::at(std::string_view name) const {
  const json* found = find(name);
  if (found == nullptr) {
    const json whole_spec = whole();
    throw json::out_of_range::create(403, "key '" + std::string(name) + "' not found", &whole_spec);
  }
  return *found;
}

void Spec::set(const std::string& name, json value) {
  Members changed = members();
  std::erase_if(changed, [&](const SharedMember& member) { return member->name() == name; });
  changed.push_back(share(name, std::move(value)));
  *this = Spec(std::move(changed));
}

std::string Spec::dump() const {
  std::size_t size = 2;
  for (const SharedMember& member : members()) size += member->text().size() + 1;
  std::string text;
  text.reserve(size);
  text += '{';
  for (const SharedMember& member : members()) {
    if (text.size() > 1) text += ',';
    text += member->text();
  }
  text += '}';
  return text;
}

json Spec::whole() const {
  json object = json::object();
  for (const SharedMember& member : members()) object[member->name()] = member->value();
  return object;
}

void to_json(json& j, const Spec& spec) {
  j = spec.whole();
}

}  // namespace unmask::wire

#pragma once
// Several attacks as one: each in turn works on what the earlier ones left.

#include <memory>
#include <string>
#include <vector>

#include "unmask/attack.hpp"

namespace unmask::engine {

/// An ensemble of attacks of one norm. Each member sees only the samples that no earlier one has
/// fooled; under a batch-coupled target, where rows cannot be left out, each sees all of them. A
/// member is believed only where its result keeps to the threat, and by the target's own answer,
/// which is counted like every other.
///
/// The result is, row by row, the point with the largest margin: that of the member that fooled the
/// row, where one did. Under a batch-coupled target rows of several members are put together, which
/// changes their answers; when fewer of them fool together than one member's rows do, all rows come
/// from that member.
///
/// Notes: `fooled_first_by.<member>` (0 or 1), and those of the members as `<member>.<note>`, NaN
/// for samples that the member was not shown.
class Ensemble final : public Attack {
 public:
  struct Member {
    std::string name;
    std::unique_ptr<Attack> attack;
  };

  /// @param members  at least one
  /// @throws ParamError when they work in different norms
  explicit Ensemble(std::vector<Member> members);

  Norm norm() const override { return members_.front().attack->norm(); }

  Tensor perturb(Target& target,
                 const Tensor& x,
                 const Tensor& y,
                 const Threat& threat,
                 AttackContext& context) override;

 private:
  std::vector<Member> members_;
};

}  // namespace unmask::engine

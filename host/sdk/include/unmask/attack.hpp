#pragma once
// An attack: it looks for images that a target takes for something else.

#include <string>
#include <vector>

#include "unmask/export.hpp"
#include "unmask/params.hpp"
#include "unmask/random.hpp"
#include "unmask/series.hpp"
#include "unmask/target.hpp"
#include "unmask/tensor.hpp"
#include "unmask/threat.hpp"

namespace unmask {
inline namespace v1 {

/// One number for each sample of a batch that an attack wants recorded besides its points.
struct AttackNote {
  std::string name;  ///< lower snake case, parts joined by dots
  Tensor values;     ///< [B], any type that converts to double
};

/// What an attack gets besides its target.
struct AttackContext {
  SampleRandom random;                      ///< seeded for this cell and these samples
  std::vector<AttackNote> notes = {};       ///< filled by the attack; each name once
  std::vector<RecordedSeries> series = {};  ///< likewise
};

/// Base of every attack plugin. The class is constructible from (const Params&) and declares the
/// norm it works in.
class UNMASK_API Attack {
 public:
  Attack() = default;
  Attack(const Attack&) = delete;
  Attack& operator=(const Attack&) = delete;
  virtual ~Attack();

  /// The norm of the ball this instance stays in.
  virtual Norm norm() const = 0;

  /// Adversarial candidates for a batch. The host re-scores them, so this only has to be good,
  /// never to judge: an x_adv outside the ball or the box, or not misclassified, counts as not
  /// fooled.
  /// @param x  [B, C, H, W] in the box, all correctly classified at the canonical batch when the
  ///           target is batch-independent; otherwise the whole canonical batch, misclassified
  ///           rows included
  /// @param y  int64 [B], true labels
  /// @return   shape, dtype and device of x
  virtual Tensor perturb(Target& target,
                         const Tensor& x,
                         const Tensor& y,
                         const Threat& threat,
                         AttackContext& context) = 0;
};

}  // namespace v1
}  // namespace unmask

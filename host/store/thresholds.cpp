// Above which values the query `warnings` warns. A file holds them as the table `threshold`.

#include "store/views.hpp"

namespace unmask::store {
namespace {

constexpr Threshold kThresholds[] = {
    {"check.randomised", 1e-4, true, "the same images get other answers when asked again"},
    {"check.softmax_output", 0, true, "the network ends with a softmax"},
    {"check.one_hot_output", 0, true, "only zeros and ones come out: no loss has a gradient"},
    {"check.batch_dependence", 1e-4, true, "answers depend on the other images of the batch"},
    {"check.changes_itself", 0, false, "the network writes into its weights or buffers when asked"},
    {"check.zero_gradient", 0, false, "share of samples whose gradient was zero"},
    {"check.gradient_not_finite", 0, false, "share of samples whose gradient was not finite"},
    {"threat_violations", 0, false, "points outside the ball or the box, put back by the host"},
    {"undecided", 0, false, "samples that the evaluation solver gave no answer for"},
    {"fooled_first_by", 0.002, false, "share that a gradient-free attack fooled after the others"},
};

}  // namespace

std::span<const Threshold> thresholds() {
  return kThresholds;
}

}  // namespace unmask::store

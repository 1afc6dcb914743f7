#pragma once
// The images of `strokes`: digits as jittered polylines on a textured background, made from
// integers and a counter-based generator. Every draw of every image is addressable directly, so
// images can be made in any order. strokes.md specifies the draws; kGeneratorVersion changes when
// an image does.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <span>
#include <string_view>

#include "unmask/random.hpp"

namespace unmask::strokes {

inline constexpr int kGeneratorVersion = 1;
inline constexpr int kClasses = 10;
inline constexpr std::uint64_t kGamma = 0x9E3779B97F4A7C15ULL;

/// Start of the numbers of image `index` of the data set with this seed.
inline std::uint64_t image_base(std::uint64_t seed, std::uint64_t index) {
  return mix64(((index + 1) * kGamma) ^ mix64((seed + 1) * kGamma));
}

inline constexpr std::size_t kMostDistractors = 3;
inline constexpr std::uint64_t kMoreDistractors = 4096;  ///< their first draw

/// The 24 random bits of draw k.
inline std::uint64_t draw_bits(std::uint64_t base, std::uint64_t k) {
  return mix64(base + (k + 1) * kGamma) >> 40;
}

/// What the ranges of the draws depend on besides the size itself.
struct Sizes {
  double scale_low, scale_high;
  double shift;
  double width_low, width_high;
};

/// @param size  20 or 28
inline Sizes sizes_for(int size) {
  return size == 20 ? Sizes{5.0, 7.2, 1.8, 1.0, 1.8} : Sizes{7.0, 10.0, 2.5, 1.2, 2.4};
}

/// Ranges of the draws that decide how hard an image is. strokes.md has them as a table.
struct Difficulty {
  double rotation;  ///< radians, to both sides
  double shift;     ///< part of Sizes::shift
  double contrast_low, contrast_high;
  bool has_random_polarity;  ///< else strokes are brighter than the background
  double level_low, level_high;
  double wave;  ///< largest amplitude of a wave
  std::uint64_t distractors;
  double distractor_amplitude;  ///< to both sides
  double jitter;                ///< of a vertex, in glyph units, to both sides
  double noise;                 ///< amplitude of the noise of a pixel
};

inline constexpr Difficulty kEasy = {.rotation = 0.25,
                                     .shift = 0.7,
                                     .contrast_low = 0.25,
                                     .contrast_high = 0.45,
                                     .has_random_polarity = false,
                                     .level_low = 0.25,
                                     .level_high = 0.45,
                                     .wave = 0.04,
                                     .distractors = 1,
                                     .distractor_amplitude = 0.15,
                                     .jitter = 0.08,
                                     .noise = 0.05};
inline constexpr Difficulty kStandard = {.rotation = 0.35,
                                         .shift = 1.0,
                                         .contrast_low = 0.18,
                                         .contrast_high = 0.40,
                                         .has_random_polarity = true,
                                         .level_low = 0.35,
                                         .level_high = 0.65,
                                         .wave = 0.05,
                                         .distractors = 1,
                                         .distractor_amplitude = 0.25,
                                         .jitter = 0.10,
                                         .noise = 0.06};
inline constexpr Difficulty kHard = {.rotation = 0.45,
                                     .shift = 1.2,
                                     .contrast_low = 0.14,
                                     .contrast_high = 0.32,
                                     .has_random_polarity = true,
                                     .level_low = 0.30,
                                     .level_high = 0.70,
                                     .wave = 0.06,
                                     .distractors = 2,
                                     .distractor_amplitude = 0.28,
                                     .jitter = 0.12,
                                     .noise = 0.10};
inline constexpr Difficulty kExtreme = {.rotation = 0.50,
                                        .shift = 1.3,
                                        .contrast_low = 0.12,
                                        .contrast_high = 0.28,
                                        .has_random_polarity = true,
                                        .level_low = 0.25,
                                        .level_high = 0.75,
                                        .wave = 0.07,
                                        .distractors = 3,
                                        .distractor_amplitude = 0.28,
                                        .jitter = 0.13,
                                        .noise = 0.12};

/// @param name  easy, standard, hard or extreme
inline const Difficulty& difficulty_of(std::string_view name) {
  if (name == "easy") return kEasy;
  if (name == "hard") return kHard;
  return name == "extreme" ? kExtreme : kStandard;
}

struct Vertex {
  int x, y;  // hundredths of a glyph unit, y down
};

inline std::span<const Vertex> glyph(int digit) {
  static constexpr Vertex k0[] = {
      {0, -100}, {60, -60}, {60, 60}, {0, 100}, {-60, 60}, {-60, -60}, {0, -100}};
  static constexpr Vertex k1[] = {{-40, -60}, {10, -100}, {10, 100}};
  static constexpr Vertex k2[] = {
      {-60, -60}, {-20, -100}, {40, -90}, {60, -50}, {30, 0}, {-60, 100}, {60, 100}};
  static constexpr Vertex k3[] = {
      {-60, -90}, {30, -100}, {55, -55}, {0, -5}, {60, 45}, {25, 100}, {-60, 85}};
  static constexpr Vertex k4[] = {{30, 100}, {30, -100}, {-65, 35}, {65, 35}};
  static constexpr Vertex k5[] = {
      {55, -100}, {-50, -100}, {-55, -10}, {20, -20}, {60, 30}, {30, 95}, {-60, 90}};
  static constexpr Vertex k6[] = {
      {45, -100}, {-30, -40}, {-60, 35}, {-20, 100}, {40, 90}, {55, 35}, {10, -5}, {-55, 30}};
  static constexpr Vertex k7[] = {{-60, -100}, {60, -100}, {-10, 100}};
  static constexpr Vertex k8[] = {
      {0, -5}, {-50, -50}, {0, -100}, {50, -50}, {0, -5}, {60, 45}, {0, 100}, {-60, 45}, {0, -5}};
  static constexpr Vertex k9[] = {
      {55, -30}, {-10, 5}, {-55, -40}, {-40, -90}, {20, -100}, {60, -40}, {30, 40}, {-40, 100}};
  static constexpr std::array<std::span<const Vertex>, kClasses> kAll = {
      k0, k1, k2, k3, k4, k5, k6, k7, k8, k9};
  return kAll.at(static_cast<std::size_t>(digit));
}

struct Segment {
  double x, y;    // start
  double dx, dy;  // end minus start
  double length2;

  Segment() = default;
  Segment(double x0, double y0, double x1, double y1)
      : x(x0),
        y(y0),
        dx(x1 - x0),
        dy(y1 - y0),
        length2(std::max((x1 - x0) * (x1 - x0) + (y1 - y0) * (y1 - y0), 1e-6)) {}

  double squared_distance(double px, double py) const {
    const double t = std::clamp(((px - x) * dx + (py - y) * dy) / length2, 0.0, 1.0);
    const double ex = px - (x + t * dx);
    const double ey = py - (y + t * dy);
    return ex * ex + ey * ey;
  }
};

inline double coverage(double squared_distance, double width) {
  return std::clamp(0.5 + width / 2 - std::sqrt(squared_distance), 0.0, 1.0);
}

/// Draw image `index`, a digit `index % 10`.
/// @param size    20 or 28
/// @param pixels  size * size values, row by row
inline void draw_image(int size,
                       const Difficulty& difficulty,
                       std::uint64_t seed,
                       std::uint64_t index,
                       std::span<std::uint8_t> pixels) {
  // Long: an image is one list of numbered draws, read in one place so that none is used twice.
  constexpr double kPi = std::numbers::pi;
  const std::uint64_t base = image_base(seed, index);
  const auto unit = [base](std::uint64_t k) {
    return static_cast<double>(draw_bits(base, k)) * 0x1.0p-24;
  };
  const auto range = [&](std::uint64_t k, double low, double high) {
    return low + (high - low) * unit(k);
  };
  const Sizes sizes = sizes_for(size);
  const double extent = size;

  const double angle = range(0, -difficulty.rotation, difficulty.rotation);
  const double scale = range(1, sizes.scale_low, sizes.scale_high);
  const double aspect = 1 + range(2, -0.15, 0.15);
  const double shear = range(3, -0.25, 0.25);
  const double shift = difficulty.shift * sizes.shift;
  const double centre_x = extent / 2 + range(4, -shift, shift);
  const double centre_y = extent / 2 + range(5, -shift, shift);
  const double width = range(6, sizes.width_low, sizes.width_high);
  const double contrast = range(7, difficulty.contrast_low, difficulty.contrast_high);
  const double polarity = difficulty.has_random_polarity && unit(8) < 0.5 ? -1 : 1;
  const double level = range(9, difficulty.level_low, difficulty.level_high);
  const double slope_x = range(10, -0.10, 0.10);
  const double slope_y = range(11, -0.10, 0.10);

  struct Wave {
    double along_x, along_y, phase, amplitude;
  };
  std::array<Wave, 2> waves{};
  for (std::uint64_t w = 0; w < 2; ++w) {
    const double direction = range(12 + 4 * w, 0, kPi);
    const double cycles = range(13 + 4 * w, 1.0, 3.5);
    waves[w] = {2 * kPi * cycles * std::cos(direction) / extent,
                2 * kPi * cycles * std::sin(direction) / extent,
                range(14 + 4 * w, 0, 2 * kPi),
                range(15 + 4 * w, 0, difficulty.wave)};
  }

  struct Distractor {
    Segment segment;
    double width, amplitude;
  };
  std::array<Distractor, kMostDistractors> distractors;
  for (std::uint64_t d = 0; d < difficulty.distractors; ++d) {
    // The first one has draws 20 to 25; the others lie behind those of the noise.
    const std::uint64_t k = d == 0 ? 20 : kMoreDistractors + 6 * (d - 1);
    const double start_x = range(k, 2, extent - 2);
    const double start_y = range(k + 1, 2, extent - 2);
    const double distractor_angle = range(k + 2, 0, 2 * kPi);
    const double length = range(k + 3, 4, 9);
    distractors.at(d) = {
        Segment(start_x,
                start_y,
                start_x + length * std::cos(distractor_angle),
                start_y + length * std::sin(distractor_angle)),
        range(k + 4, 1.0, 1.8),
        range(k + 5, -difficulty.distractor_amplitude, difficulty.distractor_amplitude)};
  }

  constexpr std::size_t kMostVertices = 9;
  std::array<Segment, kMostVertices> segments;
  std::size_t segment_count = 0;
  const double cosine = std::cos(angle);
  const double sine = std::sin(angle);
  double last_x = 0;
  double last_y = 0;
  std::uint64_t q = 0;
  for (const Vertex& vertex : glyph(static_cast<int>(index % kClasses))) {
    const double jittered_x =
        vertex.x / 100.0 + range(32 + 2 * q, -difficulty.jitter, difficulty.jitter);
    const double v = vertex.y / 100.0 + range(33 + 2 * q, -difficulty.jitter, difficulty.jitter);
    const double u = jittered_x * aspect + shear * v;
    const double x = centre_x + scale * (cosine * u - sine * v);
    const double y = centre_y + scale * (sine * u + cosine * v);
    if (q > 0) segments[segment_count++] = Segment(last_x, last_y, x, y);
    last_x = x;
    last_y = y;
    ++q;
  }

  std::uint64_t pixel = 0;
  for (int row = 0; row < size; ++row) {
    for (int column = 0; column < size; ++column, ++pixel) {
      const double x = column + 0.5;
      const double y = row + 0.5;
      double value = level + 2 * slope_x * (x / extent - 0.5) + 2 * slope_y * (y / extent - 0.5);
      for (const Wave& wave : waves) {
        value += wave.amplitude * std::cos(wave.along_x * x + wave.along_y * y + wave.phase);
      }
      // All segments have one width, so the largest coverage is that of the nearest one.
      double nearest = std::numeric_limits<double>::infinity();
      for (std::size_t s = 0; s < segment_count; ++s) {
        nearest = std::min(nearest, segments[s].squared_distance(x, y));
      }
      value += polarity * contrast * coverage(nearest, width);
      for (std::uint64_t d = 0; d < difficulty.distractors; ++d) {
        const Distractor& distractor = distractors[d];
        value += distractor.amplitude *
                 coverage(distractor.segment.squared_distance(x, y), distractor.width);
      }
      value += difficulty.noise * (unit(64 + 2 * pixel) + unit(65 + 2 * pixel) - 1);
      pixels[pixel] =
          static_cast<std::uint8_t>(std::floor(255 * std::clamp(value, 0.0, 1.0) + 0.5));
    }
  }
}

}  // namespace unmask::strokes

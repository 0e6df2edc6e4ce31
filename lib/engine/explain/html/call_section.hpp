#pragma once

#include <cstddef>
#include <vector>

#include "natkit/diagnose/case.hpp"
#include "natkit/diagnose/diagnose.hpp"
#include "natkit/engine/explain/html/markup.hpp"
#include "natkit/engine/explain/paths.hpp"

namespace natkit::html {

/// The part of the page about one call: what is wrong, who and when, its media, its messages. `number`: its id.
[[nodiscard]] Markup call_section(const diagnose::Case& one, const diagnose::Diagnosis& diagnosis,
                                  const std::vector<explain::MediaPath>& paths, std::size_t number);
/// A call in a line, with what is worth knowing.
[[nodiscard]] Markup call_line(const diagnose::Diagnosis& diagnosis);
/// One that has a part of its own, which is led to.
[[nodiscard]] Markup contents_line(const diagnose::Diagnosis& diagnosis, std::size_t number);

/// media_tables.cpp: what went each way of each stream; the same by phase; each RTP stream. Empty where there is none.
[[nodiscard]] Markup traffic_table(const diagnose::Case& one, const diagnose::Diagnosis& diagnosis);
[[nodiscard]] Markup phase_table(const diagnose::Case& one);
[[nodiscard]] Markup stream_table(const diagnose::Case& one);

}  // namespace natkit::html

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/diagnose/case.hpp"
#include "natkit/engine/explain/html/markup.hpp"

/// Packets a second in the time of a call.
namespace natkit::html {

/// Packets of the same media in equal times, each once: a source that is seen on both sides of a NAT counts where more
/// of it is.
class Bins {
  public:
    Bins(std::int64_t from_ns, std::int64_t width_ns, std::size_t count)
        : from_ns_(from_ns), width_ns_(width_ns), count_(count) {}

    /// What of these passed between the two times, in packets a second for each bin.
    [[nodiscard]] std::vector<double> rates(const std::vector<const diagnose::RtpStream*>& streams) const;

  private:
    void add(std::vector<double>& bins, const diagnose::RtpStream& stream) const;
    void spread(std::vector<double>& bins, double from_ns, double to_ns, double packets) const;

    std::int64_t from_ns_, width_ns_;
    std::size_t count_;
};

/// One band for each direction of each stream: what its sender sends, what of it arrives, when nothing was agreed, when
/// nothing arrives that should, and where the descriptions change. Empty where no media is known. `id`: of the call.
[[nodiscard]] Markup timeline_picture(const diagnose::Case& one, std::string_view id);

}  // namespace natkit::html

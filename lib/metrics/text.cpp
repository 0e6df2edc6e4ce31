#include "natkit/metrics/text.hpp"

#include <prometheus/text_serializer.h>

#include <sstream>

namespace natkit::metrics {

std::string to_text(const std::vector<Family>& families) {
    std::vector<prometheus::MetricFamily> converted;
    for (const Family& family : families) {
        if (family.samples.empty()) continue;
        prometheus::MetricFamily& one = converted.emplace_back();
        one.name = family.name;
        one.help = family.help;
        one.type = family.counter ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
        for (const Sample& sample : family.samples) {
            prometheus::ClientMetric& metric = one.metric.emplace_back();
            for (const auto& [name, value] : sample.labels) metric.label.push_back({name, value});
            (family.counter ? metric.counter.value : metric.gauge.value) = sample.value;
        }
    }
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, converted);
    return std::move(out).str();
}

}  // namespace natkit::metrics

#include "wording.hpp"

namespace natkit::diagnose {

std::string name(End end) {
    return end == End::caller ? "the caller" : "the callee";
}

std::string name_at_start(End end) {
    return end == End::caller ? "The caller" : "The callee";
}

std::string seconds(std::int64_t ns) {
    return std::to_string((ns + second_ns / 2) / second_ns) + " s";
}

std::string packets(std::uint64_t count) {
    return std::to_string(count) + (count == 1 ? " packet" : " packets");
}

}  // namespace natkit::diagnose

#include "natkit/base/dns.hpp"

namespace natkit::dns {

std::string to_string(const Query& query) {
    constexpr const char* kinds[] = {"NAPTR ", "SRV ", "A ", "AAAA "};
    return kinds[static_cast<int>(query.kind)] + query.name;
}

}  // namespace natkit::dns
